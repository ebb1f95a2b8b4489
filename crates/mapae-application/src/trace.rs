//! Traces: what spans that are exported have in common, and how one process names a span to another
//! (W3C Trace Context).

use std::fmt;

/// The target of every span that may leave the process. No other span does, whatever its level: what
/// a span tells a collector is written where the span is, and nothing is told by accident.
pub const TARGET: &str = "mapae::trace";

/// A span somewhere else, as `traceparent` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    sampled: bool,
}

impl TraceParent {
    /// The length of version 0, in bytes.
    const LENGTH: usize = 55;

    /// A span of a trace; none where an id is all zeros, which is none (§3.2.2.3, §3.2.2.4).
    pub fn new(trace_id: [u8; 16], span_id: [u8; 8], sampled: bool) -> Option<Self> {
        let is_some = trace_id != [0; 16] && span_id != [0; 8];
        is_some.then_some(Self { trace_id, span_id, sampled })
    }

    /// Reads a `traceparent` (§3.2.2). A later version may have more behind what this one knows
    /// (§3.2.4); version ff is none.
    pub fn parse(text: &str) -> Option<Self> {
        let known = text.get(..Self::LENGTH)?;
        let rest = text.get(Self::LENGTH..)?;
        let mut parts = known.split('-');
        let [version] = hex(parts.next()?)?;
        let trace_id = hex(parts.next()?)?;
        let span_id = hex(parts.next()?)?;
        let [flags] = hex(parts.next()?)?;
        let fits = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        if !fits || parts.next().is_some() {
            return None;
        }
        Self::new(trace_id, span_id, flags & 1 == 1)
    }

    /// The id of the trace.
    pub const fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The id of the trace, as logs and collectors show it.
    pub fn trace_id_text(&self) -> String {
        Hex(&self.trace_id).to_string()
    }

    /// The id of the span.
    pub const fn span_id(&self) -> [u8; 8] {
        self.span_id
    }

    /// Whether whoever wrote it exports the trace.
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (Hex(&self.trace_id), Hex(&self.span_id));
        write!(f, "00-{trace}-{span}-{:02x}", u8::from(self.sampled))
    }
}

/// Bytes, in lower case.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads exactly `N` bytes; in lower case, as §3.2.2.2 has it.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_traceparent_is_read_and_written_alike() {
        for flags in ["00", "01"] {
            let text = format!("00-{TRACE}-{SPAN}-{flags}");
            let parent = TraceParent::parse(&text).expect("a traceparent");
            assert_eq!(parent.to_string(), text);
            assert_eq!(parent.trace_id_text(), TRACE);
            assert_eq!(parent.is_sampled(), flags == "01");
        }
    }

    #[test]
    fn of_the_flags_only_the_first_is_known() {
        for (flags, sampled) in [("02", false), ("03", true), ("ff", true)] {
            let parent = TraceParent::parse(&format!("00-{TRACE}-{SPAN}-{flags}"));
            assert_eq!(parent.map(|parent| parent.is_sampled()), Some(sampled), "{flags}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for rest in ["", "-", "-what-the-future-brings"] {
            assert!(TraceParent::parse(&format!("cc-{TRACE}-{SPAN}-01{rest}")).is_some(), "{rest}");
        }
        assert!(TraceParent::parse(&format!("cc-{TRACE}-{SPAN}-01.what")).is_none());
    }

    #[test]
    fn what_is_malformed_is_none() {
        let zeros = |n| "0".repeat(n);
        for text in [
            String::new(),
            "nonsense".to_owned(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", zeros(32)),
            format!("00-{TRACE}-{}-01", zeros(16)),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-0"),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{}-{SPAN}-01", &TRACE[1..]),
            format!("00_{TRACE}_{SPAN}_01"),
            format!("0x-{TRACE}-{SPAN}-01"),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00-{}é-{SPAN}-01", &TRACE[2..]),
            "-".repeat(55),
            "00-".repeat(100),
        ] {
            assert_eq!(TraceParent::parse(&text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_does_any_harm(text in ".{0,80}") {
            if let Some(parent) = TraceParent::parse(&text) {
                proptest::prop_assert_eq!(TraceParent::parse(&parent.to_string()), Some(parent));
            }
        }
    }
}
