//! How traces go from one process to another.

use tracing::Span;

use crate::trace::TraceParent;

/// Whose word it is whether a trace is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceCaller {
    /// Somebody who belongs to the installation: a proxy in front, or Mapae itself, earlier.
    Trusted,
    /// Anybody.
    Stranger,
}

/// Ties spans together across processes. That they happen is told by `tracing`; this is for what
/// travels.
pub trait TraceLinks: Send + Sync {
    /// The span that is entered, to be passed on; none where nothing is traced.
    fn current(&self) -> Option<TraceParent>;

    /// Makes a span the child of one elsewhere. Nothing happens where nothing is traced.
    ///
    /// The caller MUST NOT have entered the span. An adapter MUST take the word of a stranger for the
    /// trace's id alone: whether it is exported is decided here, or strangers fill the collector.
    fn follow(&self, span: &Span, parent: &TraceParent, caller: TraceCaller);
}

/// Nothing is traced.
#[derive(Debug, Clone, Copy)]
pub struct Untraced;

impl TraceLinks for Untraced {
    fn current(&self) -> Option<TraceParent> {
        None
    }

    fn follow(&self, _: &Span, _: &TraceParent, _: TraceCaller) {}
}
