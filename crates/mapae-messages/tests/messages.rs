//! What people read.
#![expect(clippy::expect_used, clippy::panic, reason = "test code: what fails here fails a test")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use mapae_application::outbox::MessageContent;
use mapae_application::ports::MessageRenderer as _;
use mapae_domain::Locale;
use mapae_messages::{MessageSettings, Messages};
use tempfile::TempDir;

const KEY: &str = "q-Zr_TbWmXyKdLsVnPcHgFjAeUoIqZrTbWmXyKdLsVn";
const PURPOSES: [&str; 5] =
    ["registration", "login", "password_reset", "contact_change", "own.purpose"];

fn settings() -> MessageSettings {
    MessageSettings {
        service_name: "마패".to_owned(),
        public_origin: "https://auth.mapae.example:8443".to_owned(),
        code_length: 6,
        templates: None,
    }
}

fn messages() -> Messages {
    Messages::load(&settings()).unwrap_or_else(|error| panic!("{error}"))
}

fn verification(purpose: &str, link: bool) -> MessageContent {
    MessageContent::Verification {
        purpose: purpose.to_owned(),
        code: "493817".to_owned(),
        link_key: link.then(|| KEY.to_owned()),
        minutes: 30,
    }
}

mod contract {
    mapae_testkit::renderer_contract! { std::sync::Arc::new(super::messages()) }
}

#[test]
fn every_mail_bears_its_code_everywhere_and_its_link_alone_on_a_line() {
    let messages = Arc::new(messages());
    for purpose in PURPOSES {
        for locale in Locale::ALL {
            for with_link in [true, false] {
                let content = verification(purpose, with_link);
                let mail = messages.email(&content, locale).expect("a mail");
                let word = if locale == Locale::Ko { "인증번호" } else { "code" };
                for part in [&mail.subject, &mail.text, &mail.html] {
                    assert!(part.contains("493817") && part.contains("마패"), "{part}");
                }
                assert!(mail.subject.to_lowercase().contains(word), "{}", mail.subject);
                assert!(mail.text.to_lowercase().contains(word), "{}", mail.text);
                let path =
                    if purpose == "password_reset" { "reset/password" } else { "verify/email" };
                let link = format!("https://auth.mapae.example:8443/{path}?key={KEY}");
                assert_eq!(mail.text.lines().any(|line| line == link), with_link, "{}", mail.text);
                assert_eq!(mail.html.contains("<a href="), with_link);
                assert!(mail.text.contains("30"), "until when: {}", mail.text);
                assert!(mail.html.contains(&format!("lang=\"{}\"", locale.as_str())));
                assert!(!mail.html.contains("<img") && !mail.html.contains("<script"));
                for never in ["본인인증", "본인확인"] {
                    assert!(!mail.text.contains(never) && !mail.html.contains(never));
                }
            }
        }
    }
}

#[test]
fn a_short_message_is_one_sms_that_fills_itself_in() {
    for locale in Locale::ALL {
        let text = messages().sms(&verification("registration", false), locale).expect("an SMS");
        let (bytes, _, unmappable) = encoding_rs::EUC_KR.encode(&text);
        assert!(!unmappable && bytes.len() <= 79, "{} bytes: {text}", bytes.len());
        assert_eq!(text.lines().last(), Some("@auth.mapae.example #493817"));
        assert!(text.starts_with("[마패]"), "{text}");
        assert!(!text.contains("본인"), "{text}");
    }
}

#[test]
fn an_accounts_owner_is_told_without_a_code_or_a_link() {
    for locale in Locale::ALL {
        let content = MessageContent::AlreadyRegistered;
        let mail = messages().email(&content, locale).expect("a mail");
        let sms = messages().sms(&content, locale).expect("an SMS");
        for part in [&mail.subject, &mail.text, &mail.html, &sms] {
            assert!(part.contains("마패"), "{part}");
            assert!(!part.contains("key=") && !part.contains("http"), "{part}");
        }
    }
}

#[test]
fn a_name_cannot_write_markup_or_headers() {
    let named = |name: &str| {
        Messages::load(&MessageSettings { service_name: name.to_owned(), ..settings() })
    };
    let messages = named("<b>&\"x").expect("a name");
    let mail = messages.email(&verification("registration", true), Locale::En).expect("a mail");
    assert!(mail.html.contains("&lt;b&gt;&amp;&quot;x") && !mail.html.contains("<b>"));
    for name in ["", "  ", "a\r\nBcc: x@y.z", "a\u{0}", &"x".repeat(41)] {
        assert!(named(name).is_err(), "{name:?}");
    }
}

fn with_file(file: &str, content: &str) -> Result<Messages, String> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join(file);
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a folder");
    fs::write(path, content).expect("a file");
    let templates = Some(folder.path().to_owned());
    Messages::load(&MessageSettings { templates, ..settings() }).map_err(|error| error.to_string())
}

#[test]
fn an_operators_template_replaces_ours_and_nothing_else() {
    let messages = with_file("ko/verification.subject.txt", "{{ service }}: {{ code }}")
        .unwrap_or_else(|error| panic!("{error}"));
    let content = verification("registration", true);
    let ko = messages.email(&content, Locale::Ko).expect("a mail");
    assert_eq!(ko.subject, "마패: 493817");
    let en = messages.email(&content, Locale::En).expect("a mail");
    assert!(en.subject.contains("confirm"), "{}", en.subject);
}

#[test]
fn a_template_that_would_fail_its_readers_is_found_at_start_and_named() {
    let table = [
        ("ko/verification.txt", "{{ code ", "ko/verification.txt, line 1"),
        ("ko/verification.txt", "{{ code }} {{ nickname }}\n{{ link }}", "ko/verification.txt"),
        ("ko/verification.txt", "인증번호 {{ code }}", "on a line of its own"),
        ("ko/verification.txt", "안녕하세요", "does not hold the code"),
        ("ko/verification.txt", "{{ code }} 2026\n\n{{ link or '' }}", "another number"),
        ("en/verification.html", "<p>{{ code }}</p>", "does not hold the link"),
        ("en/verification.subject.txt", "{{ code }}\nmore", "more than one line"),
        ("en/verification.sms.txt", "[{{ service }}] {{ code }} 🎉", "EUC-KR"),
        (
            "en/verification.sms.txt",
            "{{ code }}{% for n in range(500) %} 가나{% endfor %}",
            "longer than 2,000 bytes",
        ),
        ("en/verification.sms.txt", "", "is empty"),
        ("en/verification.sms.txt", "[{{ service }}]", "does not hold the code"),
        ("en/already_registered.txt", "  ", "is empty"),
        ("en/unknown.txt", "x", "en/unknown.txt"),
        ("fr/verification.txt", "x", "fr/verification.txt"),
        ("verification.txt", "x", "verification.txt"),
    ];
    for (file, content, expected) in table {
        match with_file(file, content) {
            Ok(_) => panic!("{file} {content:?} was taken"),
            Err(error) => assert!(error.contains(expected), "{file} {content:?}: {error}"),
        }
    }
    let missing = Some(Path::new("/nonexistent/templates").to_owned());
    assert!(Messages::load(&MessageSettings { templates: missing, ..settings() }).is_err());
}

#[test]
fn a_long_host_makes_a_long_message_and_cuts_nothing() {
    let public_origin = format!("https://{}.example.com", "auth".repeat(15));
    let messages = Messages::load(&MessageSettings { public_origin, ..settings() });
    let messages = messages.unwrap_or_else(|error| panic!("{error}"));
    let text = messages.sms(&verification("registration", false), Locale::Ko).expect("an LMS");
    assert!(encoding_rs::EUC_KR.encode(&text).0.len() > 90, "{text}");
    assert!(text.ends_with(".example.com #493817"), "{text}");
}

#[test]
fn a_name_that_euc_kr_cannot_hold_is_found_at_start() {
    let service_name = "마패 🐎".to_owned();
    let error = Messages::load(&MessageSettings { service_name, ..settings() }).err();
    let error = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("sms.txt") && error.contains("EUC-KR"), "{error}");
}
