//! The form of a refresh token: which session, which generation, and a proof that Mapae made it.
//!
//! The proof is a keyed hash over both and the session's random seed, 256 bits long. So no token is
//! stored, in the clear or hashed; the successor of a token can be given again to whoever repeats a
//! refresh; and an old token is known to be genuine, which makes its use a reason to end the
//! session, while a made-up one is a reason for nothing: else anyone who saw a session's id could
//! end it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_domain::session::SessionRecord;
use mapae_domain::{SecretHash, SessionId};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Application;
use crate::ports::HashContext;

const SESSION: usize = 16;
const GENERATION: usize = 4;
const PROOF: usize = 32;

/// A refresh token as it was presented: not known to be genuine yet.
pub(super) struct PresentedRefreshToken {
    pub(super) session: SessionId,
    pub(super) generation: u32,
    proof: SecretHash,
}

impl PresentedRefreshToken {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let (session, rest) = bytes.split_first_chunk::<SESSION>()?;
        let (generation, proof) = rest.split_first_chunk::<GENERATION>()?;
        Some(Self {
            session: SessionId::from_uuid(Uuid::from_bytes(*session)),
            generation: u32::from_be_bytes(*generation),
            proof: SecretHash::from_bytes(proof.try_into().ok()?),
        })
    }
}

impl Application {
    /// The token of the session's current generation.
    pub(super) fn refresh_token(&self, session: &SessionRecord) -> Zeroizing<String> {
        let proof = self.refresh_proof(session, session.generation);
        let mut bytes = Zeroizing::new(Vec::with_capacity(SESSION + GENERATION + PROOF));
        bytes.extend_from_slice(session.id.as_bytes());
        bytes.extend_from_slice(&session.generation.to_be_bytes());
        bytes.extend_from_slice(proof.as_bytes());
        Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes))
    }

    /// Whether Mapae made that token for that session, in a time that does not depend on the
    /// answer.
    pub(super) fn is_genuine(
        &self,
        presented: &PresentedRefreshToken,
        session: &SessionRecord,
    ) -> bool {
        presented.session == session.id
            && self.refresh_proof(session, presented.generation).matches(&presented.proof)
    }

    fn refresh_proof(&self, session: &SessionRecord, generation: u32) -> SecretHash {
        let parts = [
            session.id.as_bytes().as_slice(),
            &generation.to_be_bytes(),
            session.seed.expose().as_slice(),
        ];
        self.ports.secrets.hash(HashContext::RefreshToken, &parts)
    }
}
