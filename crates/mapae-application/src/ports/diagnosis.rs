//! What a part of the installation says of itself when an operator asks.

use async_trait::async_trait;

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it must be.
    Good,
    /// It works, but somebody should look at it; or it could not be seen.
    Doubtful,
    /// It does not work.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What: a few words.
    pub what: &'static str,
    /// How it was found.
    pub verdict: Verdict,
    /// What was seen, or what to do. One line, without secrets.
    pub text: String,
}

impl Finding {
    /// It is as it must be.
    pub fn good(what: &'static str, text: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Good, text: text.into() }
    }

    /// It works, but somebody should look at it.
    pub fn doubtful(what: &'static str, text: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Doubtful, text: text.into() }
    }

    /// It does not work.
    pub fn bad(what: &'static str, text: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Bad, text: text.into() }
    }
}

/// Looks at itself.
#[async_trait]
pub trait Diagnose: Send + Sync {
    /// What there is to say, in the order in which it should be mended. An adapter MUST NOT send
    /// anything to anybody, and MUST give up after a time of its own.
    async fn diagnose(&self) -> Vec<Finding>;
}
