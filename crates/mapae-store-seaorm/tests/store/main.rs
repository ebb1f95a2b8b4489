//! The store on each of its databases: the port's contract, and what is a database's own.
#![expect(clippy::expect_used, clippy::panic, reason = "test code: what fails here fails a test")]

mod server;
mod sqlite;

use std::path::Path;
use std::time::Duration;

use mapae_store_seaorm::{StoreSettings, Synchronous};

/// How a test reaches a database.
fn settings_of(url: String) -> StoreSettings {
    StoreSettings {
        url,
        synchronous: Synchronous::Full,
        readers: 4,
        connections: 10,
        busy_timeout: Duration::from_secs(10),
        acquire_timeout: Duration::from_secs(30),
    }
}

/// How a test reaches a file in its folder.
fn settings(folder: &Path) -> StoreSettings {
    settings_of(format!("sqlite://{}", folder.join("data/mapae.db").display()))
}

/// Every look-up that a request waits for, or that is made over and over, as SQLite would run it.
const HOT: &[&str] = &[
    "SELECT * FROM users WHERE id = x'00'",
    "SELECT * FROM user_contacts WHERE channel = 'email' AND contact = 'x'",
    "SELECT * FROM user_contacts WHERE user_id = x'00' ORDER BY channel",
    "SELECT * FROM usernames WHERE username = 'x'",
    "SELECT * FROM consents WHERE user_id = x'00' ORDER BY id",
    "SELECT * FROM consents WHERE reconfirm_at < 1 AND EXISTS (SELECT 1 FROM users WHERE users.id = consents.user_id AND status = 'active') ORDER BY reconfirm_at, id LIMIT 100",
    "UPDATE consents SET reconfirm_at = NULL WHERE user_id = x'00' AND document IN ('x') AND reconfirm_at IS NOT NULL",
    "SELECT * FROM registrations WHERE id = x'00'",
    "SELECT * FROM verifications WHERE id = x'00'",
    "SELECT * FROM verifications WHERE link_hash = x'00' OR previous_link_hash = x'00'",
    "SELECT * FROM verifications WHERE registration_id = x'00' ORDER BY created_at, id",
    "UPDATE verifications SET standing = 'superseded' WHERE channel = 'email' AND contact = 'x' AND state = 'pending' AND standing = 'genuine' AND registration_id IS NOT NULL",
    "SELECT id FROM users WHERE erase_at <= 1 ORDER BY erase_at LIMIT 10",
    "SELECT id FROM verifications WHERE user_id = x'00' OR (channel = 'email' AND contact = 'x')",
    "SELECT id FROM registrations WHERE user_id = x'00' OR email = 'x' OR phone = 'y'",
    "SELECT * FROM contact_undos WHERE key_hash = x'00'",
    "DELETE FROM contact_undos WHERE user_id = x'00' AND channel = 'email' AND changed_at >= 1",
    "SELECT * FROM contact_sends WHERE contact_hash = x'00'",
    "SELECT * FROM sessions WHERE id = x'00'",
    "SELECT * FROM sessions WHERE user_id = x'00' AND ended_at IS NULL AND expires_at > 1 ORDER BY rotated_at DESC LIMIT 100",
    "UPDATE sessions SET ended_at = 1 WHERE user_id = x'00' AND ended_at IS NULL AND id <> x'01'",
    "SELECT id FROM sessions WHERE idle_expires_at <= 1 ORDER BY idle_expires_at LIMIT 500",
    "SELECT * FROM audit_entries WHERE user_id = x'00' ORDER BY at DESC, id DESC LIMIT 100",
    "SELECT * FROM outbox WHERE channel = 'sms' AND status = 'queued' AND due_at <= 1 ORDER BY due_at, id LIMIT 10",
    "SELECT status FROM outbox WHERE verification_id = x'00' ORDER BY created_at DESC, id DESC LIMIT 1",
    "SELECT * FROM outbox WHERE ask_at <= 1 ORDER BY ask_at, id LIMIT 16",
    "SELECT ask_at FROM outbox WHERE ask_at IS NOT NULL ORDER BY ask_at LIMIT 1",
    "SELECT * FROM outbox WHERE provider_id = 'x' LIMIT 1",
    "SELECT * FROM outbox WHERE status IN ('failed') ORDER BY updated_at DESC, id DESC LIMIT 10",
    "SELECT * FROM address_marks WHERE address_hash = x'00'",
    "SELECT due_at FROM outbox WHERE channel = 'sms' AND status = 'queued' AND (lease_expires_at IS NULL OR lease_expires_at <= due_at) ORDER BY due_at LIMIT 1",
    "SELECT * FROM idempotency_keys WHERE key_hash = x'00'",
    "SELECT * FROM usernames WHERE user_id = x'00' AND expires_at IS NOT NULL ORDER BY expires_at",
    "DELETE FROM usernames WHERE registration_id IN (x'00', x'01')",
    "DELETE FROM usernames WHERE user_id = x'00'",
    "SELECT id FROM registrations WHERE expires_at <= 1 ORDER BY expires_at LIMIT 500",
    "SELECT id FROM verifications WHERE expires_at <= 1 ORDER BY expires_at LIMIT 500",
    "SELECT contact_hash FROM contact_sends WHERE window_ends_at <= 1 ORDER BY window_ends_at LIMIT 500",
    "SELECT username FROM usernames WHERE expires_at <= 1 ORDER BY expires_at LIMIT 500",
    "SELECT key_hash FROM contact_undos WHERE expires_at <= 1 ORDER BY expires_at LIMIT 500",
    "SELECT key_hash FROM idempotency_keys WHERE expires_at <= 1 ORDER BY expires_at LIMIT 500",
    "SELECT id FROM outbox WHERE status <> 'queued' AND ask_at IS NULL AND updated_at <= 1 ORDER BY updated_at LIMIT 500",
    "SELECT id FROM audit_entries WHERE at <= 1 ORDER BY at LIMIT 500",
];
