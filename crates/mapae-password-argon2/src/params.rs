use std::num::NonZeroUsize;

/// How passwords are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Settings {
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub lanes: u32,
    /// How many hashes are computed at once.
    pub threads: usize,
    /// How many may wait.
    pub queue: usize,
}

impl Default for Argon2Settings {
    /// m = 19 MiB, t = 2, p = 1 (OWASP's first choice), a thread a core, and about a second's work
    /// that may wait.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { memory_kib: 19_456, iterations: 2, lanes: 1, threads, queue: threads * 64 }
    }
}

impl Argon2Settings {
    /// Parameters that take no time, and protect nobody.
    pub fn for_tests() -> Self {
        Self { memory_kib: 8, iterations: 1, lanes: 1, threads: 2, queue: 256 }
    }
}

/// The settings are none that argon2id can work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the settings are none that argon2id can work with")]
pub struct InvalidSettings;

/// The parameters of one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Params {
    pub(crate) memory_kib: u32,
    pub(crate) iterations: u32,
    pub(crate) lanes: u32,
}

/// The most that a stored hash may ask for. More is no hash that anyone has made, but one that is
/// there to eat the machine.
const MOST: Params = Params { memory_kib: 1 << 20, iterations: 64, lanes: 16 };

impl Params {
    /// Whether argon2id can compute with them, and within bounds.
    pub(crate) fn are_sane(&self) -> bool {
        (1..=MOST.lanes).contains(&self.lanes)
            && (1..=MOST.iterations).contains(&self.iterations)
            && (8 * self.lanes..=MOST.memory_kib).contains(&self.memory_kib)
    }
}

impl From<Argon2Settings> for Params {
    fn from(settings: Argon2Settings) -> Self {
        let Argon2Settings { memory_kib, iterations, lanes, .. } = settings;
        Self { memory_kib, iterations, lanes }
    }
}
