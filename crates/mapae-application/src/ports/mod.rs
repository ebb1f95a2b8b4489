//! What the use cases need from the world.
//!
//! Each port is as small as its callers, speaks their language, and says what an adapter MUST do.
//! `mapae-testkit` has a fake of each and a contract suite that the fake and every adapter pass.

pub mod clock;
pub mod diagnosis;
pub mod event;
pub mod password;
pub mod secrets;
pub mod sender;
pub mod simplejwt;
pub mod store;
pub mod tokens;
pub mod trace;
pub mod wake_up;

pub use clock::{Clock, SecretRng};
pub use diagnosis::{Diagnose, Finding, Verdict};
pub use event::{DeliveryEvent, DeliveryEvents, EventRefused};
pub use password::{PasswordCheck, PasswordHashError, PasswordHasher};
pub use secrets::{HashContext, MessageSealer, SecretHasher, Unsealable};
pub use sender::{
    EmailSender, MessageRenderer, OutgoingEmail, OutgoingSms, RenderError, RenderedEmail,
    SendError, SendReceipt, SmsSender,
};
pub use simplejwt::{SimpleJwtClaims, SimpleJwtTokens, SimpleJwtUse};
pub use store::{Queued, ReadView, Store, StoreError, UnitOfWork};
pub use tokens::{AccessTokens, SigningKeyMaker, SigningKeyRecord, TokenError, TokenSigningError};
pub use trace::{TraceCaller, TraceLinks, Untraced};
pub use wake_up::{WakeUpError, WakeUps};
