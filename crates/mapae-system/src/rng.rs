use mapae_application::ports::SecretRng;
use ring::rand::{SecureRandom as _, SystemRandom};

/// The operating system's random bytes.
#[derive(Debug, Clone)]
pub struct SystemRng(SystemRandom);

impl SystemRng {
    /// The operating system's random bytes.
    pub fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the adapter of the SecretRng port")]
        let random = SystemRandom::new();
        Self(random)
    }
}

impl Default for SystemRng {
    fn default() -> Self {
        Self::new()
    }
}

impl SecretRng for SystemRng {
    fn fill(&self, bytes: &mut [u8]) {
        if self.0.fill(bytes).is_err() {
            #[expect(
                clippy::panic,
                reason = "a secret that can be guessed is worse than a request that fails"
            )]
            {
                panic!("the operating system gives no random bytes");
            }
        }
    }
}
