//! What a message must be, whoever wrote its template.

use encoding_rs::EUC_KR;

/// Greatest length of a short message, in bytes of EUC-KR: what a long one (LMS) holds.
pub(crate) const MAX_SMS: usize = 2_000;

/// A short message is made of signs that every telephone in Korea shows, and is cut by nobody.
pub(crate) fn sms(text: &str) -> Result<(), &'static str> {
    let (encoded, _, unmappable) = EUC_KR.encode(text);
    if unmappable {
        return Err("holds a sign that EUC-KR, and so an SMS in Korea, cannot");
    }
    if encoded.len() > MAX_SMS {
        return Err(
            "is longer than 2,000 bytes in EUC-KR, which is what a long message (LMS) holds",
        );
    }
    if text.is_empty() { Err("is empty") } else { Ok(()) }
}

/// A subject is one line that says something.
pub(crate) fn subject(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.chars().any(char::is_control) { Err("is more than one line") } else { Ok(()) }
}

/// Where a code is to be read there is the code, in one run, and no other number that could be taken
/// for it: people and telephones pick it out by that.
pub(crate) fn code(text: &str, code: &str) -> Result<(), &'static str> {
    let mut runs = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|run| (4..=10).contains(&run.len()))
        .peekable();
    if runs.peek().is_none() {
        return Err("does not hold the code");
    }
    if runs.all(|run| run == code) {
        Ok(())
    } else {
        Err("holds another number of 4 to 10 digits, which could be taken for the code")
    }
}

/// The link stands alone on a line, where every mail program finds it whole.
pub(crate) fn link_on_its_own_line(text: &str, link: &str) -> Result<(), &'static str> {
    if text.lines().any(|line| line == link) {
        Ok(())
    } else {
        Err("does not hold the link on a line of its own")
    }
}
