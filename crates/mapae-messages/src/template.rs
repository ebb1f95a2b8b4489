//! Which templates there are.

use mapae_domain::Locale;

/// A form that a message takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A mail's subject.
    Subject,
    /// A mail's text.
    Text,
    /// A mail's HTML.
    Html,
    /// A short message.
    Sms,
}

impl Form {
    pub(crate) const ALL: [Self; 4] = [Self::Subject, Self::Text, Self::Html, Self::Sms];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Subject => "subject.txt",
            Self::Text => "txt",
            Self::Html => "html",
            Self::Sms => "sms.txt",
        }
    }
}

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bears a code.
    Verification,
    /// Tells an account's owner of a sign-up with their contact.
    AlreadyRegistered,
    /// Tells of something that happened to the reader's account.
    Notice,
    /// Tells what the reader has decided about advertising.
    Marketing,
    /// Tells an operator that messages arrive.
    Test,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Verification, Self::AlreadyRegistered, Self::Notice, Self::Marketing, Self::Test];

    const fn name(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::AlreadyRegistered => "already_registered",
            Self::Notice => "notice",
            Self::Marketing => "marketing",
            Self::Test => "test",
        }
    }
}

/// The file of a template: `ko/verification.subject.txt`. Its ending decides on escaping.
pub(crate) fn file(locale: Locale, kind: Kind, form: Form) -> String {
    format!("{}/{}.{}", locale.as_str(), kind.name(), form.suffix())
}

macro_rules! compiled_in {
    ($($file:literal),* $(,)?) => {
        /// Every template that is compiled in, by its file.
        pub(crate) const COMPILED_IN: &[(&str, &str)] = &[
            $(($file, include_str!(concat!("../templates/", $file)))),*
        ];
    };
}

compiled_in![
    "ko/verification.subject.txt",
    "ko/verification.txt",
    "ko/verification.html",
    "ko/verification.sms.txt",
    "ko/already_registered.subject.txt",
    "ko/already_registered.txt",
    "ko/already_registered.html",
    "ko/already_registered.sms.txt",
    "ko/notice.subject.txt",
    "ko/notice.txt",
    "ko/notice.html",
    "ko/notice.sms.txt",
    "ko/marketing.subject.txt",
    "ko/marketing.txt",
    "ko/marketing.html",
    "ko/marketing.sms.txt",
    "ko/test.subject.txt",
    "ko/test.txt",
    "ko/test.html",
    "ko/test.sms.txt",
    "en/verification.subject.txt",
    "en/verification.txt",
    "en/verification.html",
    "en/verification.sms.txt",
    "en/already_registered.subject.txt",
    "en/already_registered.txt",
    "en/already_registered.html",
    "en/already_registered.sms.txt",
    "en/notice.subject.txt",
    "en/notice.txt",
    "en/notice.html",
    "en/notice.sms.txt",
    "en/marketing.subject.txt",
    "en/marketing.txt",
    "en/marketing.html",
    "en/marketing.sms.txt",
    "en/test.subject.txt",
    "en/test.txt",
    "en/test.html",
    "en/test.sms.txt",
];
