use std::sync::{Arc, Mutex};

use mapae_application::ports::{TraceCaller, TraceLinks};
use mapae_application::trace::TraceParent;
use tracing::Span;

use super::lock;

/// Traces that a test holds in its hand: says what it was told, and keeps what was followed.
#[derive(Debug, Clone, Default)]
pub struct FakeTraces(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    current: Option<TraceParent>,
    followed: Vec<(TraceParent, TraceCaller)>,
}

impl FakeTraces {
    /// From now on, that span is the one that is entered.
    pub fn enter(&self, span: Option<TraceParent>) {
        lock(&self.0).current = span;
    }

    /// What was followed, and whose word it was.
    pub fn followed(&self) -> Vec<(TraceParent, TraceCaller)> {
        lock(&self.0).followed.clone()
    }
}

impl TraceLinks for FakeTraces {
    fn current(&self) -> Option<TraceParent> {
        lock(&self.0).current
    }

    fn follow(&self, _: &Span, parent: &TraceParent, caller: TraceCaller) {
        lock(&self.0).followed.push((*parent, caller));
    }
}
