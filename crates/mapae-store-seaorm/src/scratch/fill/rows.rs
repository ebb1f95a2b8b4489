//! What a database holds of so many users, table by table.

use super::{Rows, SEED, Words};

/// Microseconds.
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

pub(super) fn of_all(words: Words, users: u32, now: i64, password_hash: &str) -> Vec<Rows> {
    let mut all = people(words, users, now, password_hash);
    all.push(sessions(words, users, now));
    all.extend(leftovers(words, users, now));
    all
}

fn people(words: Words, users: u32, now: i64, password_hash: &str) -> Vec<Rows> {
    let (id, third) = (words.id("i"), words.id("3 * i"));
    let hash = format!("'{password_hash}'");
    let username = "CASE WHEN i % 3 = 0 THEN concat('person', i) END";
    let ages = format!("-(i % 700) * {DAY}");
    vec![
        Rows::new(
            "users",
            users,
            [
                ("id", &id),
                ("username", username),
                ("locale", "'ko'"),
                ("roles", "''"),
                ("status", "'active'"),
                ("password_hash", &hash),
                ("auth_generation", "1"),
                ("primary_channel", "'email'"),
                ("version", "1"),
            ],
        )
        .at(now, [("created_at", ages.clone()), ("updated_at", ages.clone())]),
        Rows::new(
            "user_contacts",
            users,
            [
                ("id", &id),
                ("user_id", &id),
                ("channel", "'email'"),
                ("contact", "concat('person', i, '@example.com')"),
            ],
        )
        .at(now, [("verified_at", ages.clone())]),
        Rows::new(
            "user_contacts",
            users / 3,
            [
                ("id", &words.id(format!("{users} + i"))),
                ("user_id", &third),
                ("channel", "'sms'"),
                ("contact", "concat('+82', 1000000000 + i)"),
            ],
        )
        .at(now, [("verified_at", ages.clone())]),
        Rows::new(
            "usernames",
            users / 3,
            [("username", "concat('person', 3 * i)"), ("user_id", &third)],
        ),
        // Names that somebody let go of, and that sign-ups hold.
        Rows::new("usernames", users / 50, [("username", "concat('former', i)"), ("user_id", &id)])
            .at(now, [("expires_at", format!("(1 + i % 29) * {DAY}"))]),
        Rows::new(
            "usernames",
            users / 50,
            [("username", "concat('held', i)"), ("registration_id", &id)],
        )
        .at(now, [("expires_at", format!("{HOUR} + i"))]),
        Rows::new(
            "consents",
            users,
            [
                ("user_id", &id),
                ("document", "'terms'"),
                ("document_version", "'2026-11-01'"),
                ("required", "TRUE"),
                ("accepted", "TRUE"),
                ("channel", "'sign_up'"),
            ],
        )
        .at(now, [("decided_at", ages.clone())]),
        Rows::new(
            "consents",
            users / 5,
            [
                ("user_id", &words.id("5 * i")),
                ("document", "'marketing'"),
                ("document_version", "'2026-11-01'"),
                ("required", "FALSE"),
                ("accepted", "TRUE"),
                ("channel", "'sign_up'"),
            ],
        )
        .at(now, [("decided_at", ages), ("reconfirm_at", format!("(30 + i % 700) * {DAY}"))]),
    ]
}

/// Three sessions a user; each whose number can be divided by ten has ended within the last day.
fn sessions(words: Words, users: u32, now: i64) -> Rows {
    let (id, user) = (words.id("i"), words.id(format!("(i - 1) % {users} + 1")));
    let ended = format!("CASE WHEN i % 10 = 0 THEN -(i % 20) * {HOUR} END");
    let session = Rows::new(
        "sessions",
        users * 3,
        [
            ("id", &id),
            ("user_id", &user),
            ("generation", "1"),
            ("seed", &words.bytes(&SEED)),
            ("auth_generation", "1"),
            ("methods", "'pwd'"),
            ("device", "'Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0'"),
            ("address", "concat('203.0.113.', i % 256)"),
            ("end_reason", "CASE WHEN i % 10 = 0 THEN 'revoked' END"),
        ],
    );
    let begun = format!("-(i % 30) * {DAY}");
    session.at(
        now,
        [
            ("authenticated_at", begun.clone()),
            ("created_at", begun),
            ("rotated_at", format!("-(i % 24) * {HOUR}")),
            ("idle_expires_at", format!("(1 + i % 14) * {DAY} + i")),
            ("expires_at", format!("(60 + i % 30) * {DAY}")),
            ("ended_at", ended),
        ],
    )
}

/// What comes and goes: what the last days' sign-ups, verifications, messages and changes have left.
fn leftovers(words: Words, users: u32, now: i64) -> Vec<Rows> {
    let (id, email) = (words.id("i"), "concat('person', i, '@example.com')");
    let hours = format!("-(i % 20) * {HOUR}");
    let soon = format!("(i % 86400 + 1) * {}", 1_000_000);
    vec![
        Rows::new(
            "registrations",
            users / 10,
            [
                ("id", &id),
                ("email", email),
                ("locale", "'ko'"),
                ("consents", "'[]'"),
                ("user_id", &id),
                ("version", "2"),
            ],
        )
        .at(
            now,
            [
                ("email_proved_at", hours.clone()),
                ("completed_at", hours.clone()),
                ("created_at", hours.clone()),
                ("expires_at", soon.clone()),
            ],
        ),
        Rows::new(
            "verifications",
            users / 4,
            [
                ("id", &id),
                ("channel", "'email'"),
                ("contact", email),
                ("purpose", "'registration'"),
                ("registration_id", &id),
                ("locale", "'ko'"),
                ("standing", "'genuine'"),
                ("state", "'verified'"),
                ("code_length", "6"),
                ("code_hash", &words.hash("code")),
                ("link_hash", &words.hash("link")),
                ("attempts_used", "1"),
                ("attempts_allowed", "5"),
                ("sends_used", "1"),
                ("sends_allowed", "5"),
                ("version", "2"),
            ],
        )
        .at(
            now,
            [
                ("verified_at", hours.clone()),
                ("created_at", hours.clone()),
                ("expires_at", soon.clone()),
                ("resend_at", hours.clone()),
            ],
        ),
        Rows::new(
            "contact_sends",
            users / 4,
            [("contact_hash", &words.hash("sends")), ("sent", "1")],
        )
        .at(now, [("window_ends_at", soon.clone())]),
        Rows::new(
            "outbox",
            users / 2,
            [
                ("id", &id),
                ("channel", "CASE WHEN i % 4 = 0 THEN 'sms' ELSE 'email' END"),
                ("verification_id", &id),
                ("sealed", &words.hash("sealed")),
                ("status", "CASE WHEN i % 50 = 0 THEN 'sent' ELSE 'delivered' END"),
                ("tries", "1"),
                ("lease_fence", "1"),
                ("unanswered", "0"),
                ("sender", "'ses'"),
                ("provider_id", "concat('message-', i)"),
                ("asked", "0"),
            ],
        )
        .at(
            now,
            [
                ("due_at", format!("-(i % 29) * {DAY}")),
                ("deadline", format!("-(i % 29) * {DAY} + {HOUR}")),
                ("created_at", format!("-(i % 29) * {DAY}")),
                ("updated_at", format!("-(i % 29) * {DAY}")),
            ],
        ),
        // What is to be tried again later, so that a server knows that there is such a thing.
        Rows::new(
            "outbox",
            users / 100,
            [
                ("id", &words.id(format!("{users} + i"))),
                ("channel", "'email'"),
                ("sealed", &words.hash("sealed")),
                ("status", "'queued'"),
                ("tries", "3"),
                ("unanswered", "0"),
                ("asked", "0"),
            ],
        )
        .at(
            now,
            [
                ("due_at", format!("12 * {HOUR} + i")),
                ("deadline", format!("2 * {DAY}")),
                ("created_at", format!("-{HOUR}")),
                ("updated_at", format!("-{HOUR} + i")),
            ],
        ),
        Rows::new(
            "address_marks",
            users / 50,
            [("address_hash", &words.hash("address")), ("deliverability", "'bounced'")],
        )
        .at(now, [("marked_at", hours.clone())]),
        Rows::new(
            "idempotency_keys",
            users / 10,
            [
                ("key_hash", &words.hash("key")),
                ("content_hash", &words.hash("content")),
                ("resource", &id),
            ],
        )
        .at(now, [("expires_at", soon.clone())]),
        Rows::new(
            "contact_undos",
            users / 50,
            [
                ("key_hash", &words.hash("undo")),
                ("user_id", &id),
                ("channel", "'email'"),
                ("contact", "concat('former', i, '@example.com')"),
                ("contact_id", &id),
            ],
        )
        .at(
            now,
            [
                ("verified_at", hours.clone()),
                ("changed_at", hours),
                ("expires_at", format!("{soon} + {DAY}")),
            ],
        ),
        Rows::new(
            "audit_entries",
            users,
            [
                ("id", &id),
                ("kind", "'password_changed'"),
                ("user_id", &id),
                ("session_id", &id),
                (
                    "device",
                    "'Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0'",
                ),
                ("address", "concat('203.0.113.', i % 256)"),
            ],
        )
        .at(now, [("at", format!("-(i % 700) * {DAY}"))]),
    ]
}
