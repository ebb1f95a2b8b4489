//! What tests take from the machine: ports, servers that the environment names, and processes that see
//! none of its settings.

use std::collections::HashSet;
use std::ffi::OsString;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// Ports from which no system takes one for whoever asks for any.
const PORTS: std::ops::Range<u16> = 20_000..32_768;

/// A port that nobody listens on now, and that this process gives to nobody else: one that the system
/// had chosen would be chosen again, for a test beside this one, before it is listened on.
///
/// # Panics
/// Where there is none.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Processes begin apart.
    let first = std::process::id().wrapping_mul(61);
    for _ in PORTS {
        let nth = first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed))
            % u32::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(nth).expect("one of them");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("every port is taken");
}

/// Says, once, that a part is left out, and why; fails where everything must be there.
///
/// # Panics
/// Where `MAPAE_TEST_REQUIRE` is `all`.
pub fn left_out(what: &str) {
    static SAID: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    assert!(
        std::env::var("MAPAE_TEST_REQUIRE").as_deref() != Ok("all"),
        "{what}, and MAPAE_TEST_REQUIRE is all"
    );
    let mut said = SAID.lock().expect("what was said");
    if said.get_or_insert_default().insert(what.to_owned()) {
        #[expect(clippy::print_stderr, reason = "what a test has not looked at is said")]
        {
            eprintln!("skipped: {what}");
        }
    }
}

/// The URL of a server that the environment names; where it names none, that is [`left_out`].
///
/// # Panics
/// As [`left_out`].
pub fn server_of(variable: &str) -> Option<String> {
    let named = std::env::var(variable).ok();
    if named.is_none() {
        left_out(&format!("{variable} names no server"));
    }
    named
}

/// The names of the variables with Mapae's settings: none of them may reach a process under test.
pub fn settings_of_the_machine() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.to_str().is_some_and(|name| name.starts_with("MAPAE_")))
}
