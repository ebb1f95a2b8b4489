use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Version};
use async_trait::async_trait;
use mapae_application::ports::{PasswordCheck, PasswordHashError, PasswordHasher, SecretRng};
use mapae_application::trace::TARGET;
use mapae_domain::{Password, PasswordHash};
use subtle::ConstantTimeEq as _;
use tokio::sync::oneshot;
use tracing::Instrument as _;
use zeroize::Zeroizing;

use crate::params::{Argon2Settings, InvalidSettings, Params};
use crate::phc::{HASH, SALT, Stored};
use crate::queue::Queue;

/// When it is worth asking again while the queue is full: about the time that it takes to empty.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One hash to compute.
struct Job {
    password: Password,
    salt: Vec<u8>,
    params: Params,
    answer: oneshot::Sender<Option<Zeroizing<[u8; HASH]>>>,
}

/// Makes and checks hashes by argon2id.
pub struct Argon2Hasher {
    queue: Arc<Queue<Job>>,
    threads: Vec<JoinHandle<()>>,
    params: Params,
    rng: Arc<dyn SecretRng>,
}

impl Argon2Hasher {
    /// Starts the threads. They end when the hasher is dropped.
    ///
    /// # Errors
    /// [`InvalidSettings`] where argon2id cannot work with the parameters, or no thread can be had.
    pub fn start(
        settings: Argon2Settings,
        rng: Arc<dyn SecretRng>,
    ) -> Result<Self, InvalidSettings> {
        let params = Params::from(settings);
        if !params.are_sane() || settings.threads == 0 || settings.queue == 0 {
            return Err(InvalidSettings);
        }
        let mut hasher = Self {
            queue: Arc::new(Queue::new(settings.queue)),
            threads: Vec::with_capacity(settings.threads),
            params,
            rng,
        };
        for number in 0..settings.threads {
            let queue = Arc::clone(&hasher.queue);
            let thread = thread::Builder::new()
                .name(format!("argon2-{number}"))
                .spawn(move || work(&queue))
                .map_err(|_| InvalidSettings)?;
            hasher.threads.push(thread);
        }
        Ok(hasher)
    }

    async fn compute(
        &self,
        password: Password,
        salt: Vec<u8>,
        params: Params,
    ) -> Result<Zeroizing<[u8; HASH]>, PasswordHashError> {
        let (answer, computed) = oneshot::channel();
        let job = Job { password, salt, params, answer };
        self.queue
            .push(job)
            .map_err(|_| PasswordHashError::Overloaded { retry_after: RETRY_AFTER })?;
        let span = tracing::info_span!(target: TARGET, "password.hash");
        computed.instrument(span).await.ok().flatten().ok_or(PasswordHashError::Failed)
    }

    fn draw_salt(&self) -> Vec<u8> {
        let mut salt = vec![0; SALT];
        self.rng.fill(&mut salt);
        salt
    }
}

impl Drop for Argon2Hasher {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing to say any more.
            drop(thread.join());
        }
    }
}

/// What each thread does: hash after hash, in the same memory.
fn work(queue: &Queue<Job>) {
    let mut memory: Vec<Block> = Vec::new();
    while let Some(job) = queue.pop() {
        if job.answer.is_closed() {
            // Whoever asked has gone; nobody waits for the answer.
            continue;
        }
        let computed = hash(&mut memory, &job.password, &job.salt, job.params);
        // Whoever asked may have gone meanwhile.
        drop(job.answer.send(computed));
    }
}

fn hash(
    memory: &mut Vec<Block>,
    password: &Password,
    salt: &[u8],
    params: Params,
) -> Option<Zeroizing<[u8; HASH]>> {
    let Params { memory_kib, iterations, lanes } = params;
    let params = argon2::Params::new(memory_kib, iterations, lanes, Some(HASH)).ok()?;
    let blocks = params.block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::default());
    }
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut out = Zeroizing::new([0; HASH]);
    argon2
        .hash_password_into_with_memory(
            password.expose().as_bytes(),
            salt,
            out.as_mut_slice(),
            memory.get_mut(..blocks)?,
        )
        .ok()?;
    Some(out)
}

#[async_trait]
impl PasswordHasher for Argon2Hasher {
    async fn hash(&self, password: Password) -> Result<PasswordHash, PasswordHashError> {
        let (salt, params) = (self.draw_salt(), self.params);
        let hash = *self.compute(password, salt.clone(), params).await?;
        Ok(PasswordHash::from_stored(Stored { params, salt, hash }.write()))
    }

    async fn check(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
    ) -> Result<PasswordCheck, PasswordHashError> {
        let stored = hash.as_ref().and_then(|hash| Stored::read(hash.as_str()));
        let Some(stored) = stored else {
            // The same work, for nothing: the time must not tell that there is no account.
            self.compute(password, self.draw_salt(), self.params).await?;
            return Ok(PasswordCheck::Mismatch);
        };
        let computed = self.compute(password, stored.salt, stored.params).await?;
        if bool::from(computed.as_slice().ct_eq(&stored.hash)) {
            Ok(PasswordCheck::Match { outdated: stored.params != self.params })
        } else {
            Ok(PasswordCheck::Mismatch)
        }
    }
}
