//! What [`MessageRenderer`] promises.

use std::sync::Arc;

use mapae_application::outbox::{MessageContent, Notice};
use mapae_application::ports::MessageRenderer;
use mapae_domain::Locale;

/// What may stand in a link and in no other text here.
const LINK_KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA";
const CODE: &str = "918273";
const PURPOSES: [&str; 5] =
    ["registration", "login", "password_reset", "contact_change", "order.42:confirm_pick-up"];

fn verification(purpose: &str, code: &str, link_key: Option<&str>) -> MessageContent {
    MessageContent::Verification {
        purpose: purpose.to_owned(),
        code: code.to_owned(),
        link_key: link_key.map(str::to_owned),
        minutes: 30,
    }
}

/// A mail has its code in every part, whatever it is for, and its link key where it has one.
pub fn a_mail_carries_its_code_and_link(renderer: Arc<dyn MessageRenderer>) {
    for locale in Locale::ALL {
        for purpose in PURPOSES {
            for link in [Some(LINK_KEY), None] {
                let mail = renderer.email(&verification(purpose, CODE, link), locale).unwrap();
                for part in [&mail.text, &mail.html] {
                    assert!(part.contains(CODE), "{locale:?} {purpose}: no code in {part}");
                    assert_eq!(part.contains(LINK_KEY), link.is_some(), "{locale:?} {purpose}");
                }
                assert!(!mail.subject.contains(LINK_KEY), "a link key in the subject");
            }
        }
    }
}

/// A mail has a subject of one line, a text and HTML.
pub fn a_mail_has_a_subject_of_one_line(renderer: Arc<dyn MessageRenderer>) {
    let contents = [
        verification("registration", CODE, Some(LINK_KEY)),
        MessageContent::AlreadyRegistered,
        // What a caller has named must not begin a second header.
        verification("x\r\nBcc: everyone@example.com", CODE, None),
    ];
    for locale in Locale::ALL {
        for content in &contents {
            // A renderer may know no words for what a caller has named like that.
            let Ok(mail) = renderer.email(content, locale) else {
                assert!(matches!(content, MessageContent::Verification { purpose, .. }
                    if purpose.contains('\n')));
                continue;
            };
            assert!(!mail.subject.trim().is_empty());
            assert!(!mail.subject.chars().any(char::is_control), "{:?}", mail.subject);
            assert!(!mail.text.trim().is_empty() && !mail.html.trim().is_empty());
        }
    }
}

/// What people have chosen themselves is text in a mail's HTML, and no markup.
pub fn what_people_have_chosen_is_no_markup(renderer: Arc<dyn MessageRenderer>) {
    let markup = "<img src=x onerror=alert(1)>";
    for locale in Locale::ALL {
        let contents = [
            verification(markup, CODE, Some(LINK_KEY)),
            verification("login", markup, None),
            verification("login", CODE, Some("\"><img src=x onerror=alert(1)>")),
        ];
        for content in &contents {
            if let Ok(mail) = renderer.email(content, locale) {
                assert!(!mail.html.contains("<img src=x"), "{}", mail.html);
            }
        }
    }
}

/// A short message has its code and no link key, and fits into one LMS.
pub fn a_short_message_carries_its_code_and_fits(renderer: Arc<dyn MessageRenderer>) {
    for locale in Locale::ALL {
        for purpose in PURPOSES {
            for code in ["0042", CODE, "9182736455"] {
                for minutes in [1, 5, 1_440] {
                    let content = MessageContent::Verification {
                        purpose: purpose.to_owned(),
                        code: code.to_owned(),
                        link_key: None,
                        minutes,
                    };
                    let text = renderer.sms(&content, locale).unwrap();
                    assert!(text.contains(code), "{locale:?} {purpose}: no code in {text}");
                    assert_fits(&text);
                }
            }
        }
    }
}

#[track_caller]
fn assert_fits(text: &str) {
    // EUC-KR: one byte for ASCII, two for a sign of KS X 1001.
    let bytes: usize = text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
    assert!((1..=2_000).contains(&bytes), "{bytes} bytes in EUC-KR: {text}");
}

/// What an operator sends to try a sender has words, too.
pub fn a_test_has_words(renderer: Arc<dyn MessageRenderer>) {
    for locale in Locale::ALL {
        let mail = renderer.email(&MessageContent::Test, locale).unwrap();
        assert!(!mail.subject.is_empty() && !mail.text.is_empty() && !mail.html.is_empty());
        assert_fits(&renderer.sms(&MessageContent::Test, locale).unwrap());
    }
}

/// Whatever happens to an account has words, and the link that undoes it where there is one.
pub fn every_notice_has_words(renderer: Arc<dyn MessageRenderer>) {
    for locale in Locale::ALL {
        for notice in Notice::ALL {
            for undo_key in [None, Some(LINK_KEY.to_owned())] {
                let has_link = undo_key.is_some();
                let content = MessageContent::Notice {
                    notice: notice.as_str().to_owned(),
                    at: 1_795_000_000,
                    undo_key,
                };
                let mail = renderer.email(&content, locale).unwrap();
                assert!(!mail.subject.is_empty() && !mail.subject.contains(LINK_KEY));
                let text = renderer.sms(&content, locale).unwrap();
                assert_fits(&text);
                for part in [&mail.text, &mail.html, &text] {
                    assert!(!part.is_empty(), "{notice:?}");
                    assert_eq!(part.contains(LINK_KEY), has_link, "{notice:?}: {part}");
                }
            }
        }
    }
}

/// Whoever has an account is told so by mail and by short message, in words that fit.
pub fn an_account_holder_is_told_so(renderer: Arc<dyn MessageRenderer>) {
    for locale in Locale::ALL {
        let content = MessageContent::AlreadyRegistered;
        assert!(renderer.email(&content, locale).is_ok(), "{locale:?}");
        assert_fits(&renderer.sms(&content, locale).unwrap());
    }
}

/// Each language has words of its own.
pub fn each_language_has_words_of_its_own(renderer: Arc<dyn MessageRenderer>) {
    for content in [
        verification("registration", CODE, None),
        MessageContent::AlreadyRegistered,
        MessageContent::Test,
    ] {
        let mails = Locale::ALL.map(|locale| renderer.email(&content, locale).unwrap());
        assert_ne!(mails[0].subject, mails[1].subject);
        assert_ne!(mails[0].text, mails[1].text);
        assert_ne!(mails[0].html, mails[1].html);
        let messages = Locale::ALL.map(|locale| renderer.sms(&content, locale).unwrap());
        assert_ne!(messages[0], messages[1]);
    }
}

/// There are no words for nothing.
pub fn there_are_no_words_for_nothing(renderer: Arc<dyn MessageRenderer>) {
    for locale in Locale::ALL {
        assert!(renderer.email(&MessageContent::Nothing, locale).is_err());
        assert!(renderer.sms(&MessageContent::Nothing, locale).is_err());
    }
}

/// What cannot be rendered is told without its words.
pub fn a_failure_tells_nothing_of_the_content(renderer: Arc<dyn MessageRenderer>) {
    let long = CODE.repeat(400);
    for locale in Locale::ALL {
        let error = renderer
            .sms(&verification("login", &long, None), locale)
            .expect_err("a short message that is too long");
        assert!(!format!("{error} {error:?}").contains(CODE), "the error repeats the code");
    }
}
