//! What [`SimpleJwtTokens`] promises.
//!
//! Each promise takes the adapters of two installations, of which neither knows the other's keys.

use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::{
    AccessTokens, SimpleJwtClaims, SimpleJwtTokens, SimpleJwtUse, TokenError,
};
use mapae_domain::{AccessClaims, AuthMethod, Purpose, Receipt, Timestamp};

use crate::build;

/// What an installation signs with: these tokens, and its others.
pub type Signers = (Arc<dyn SimpleJwtTokens>, Arc<dyn AccessTokens>);

/// The signers of two installations.
pub type Two = (Signers, Signers);

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const LIFETIME: Duration = Duration::from_secs(600);

fn claims(usage: SimpleJwtUse) -> SimpleJwtClaims {
    SimpleJwtClaims {
        user: build::user_id(),
        session: build::session_id(),
        id: build::token_id(),
        issued_at: NOW,
        expires_at: NOW.plus(LIFETIME),
        usage,
    }
}

fn every_use() -> [SimpleJwtUse; 4] {
    let opened_at = NOW.minus(Duration::from_secs(3_600));
    [
        SimpleJwtUse::Access,
        SimpleJwtUse::Renewable { username: None, opened_at },
        SimpleJwtUse::Renewable { username: Some("minji".to_owned()), opened_at },
        SimpleJwtUse::Refresh { token: "AZqcnm9gfD6KUS9tDBt-RA".to_owned() },
    ]
}

/// The claims come back as they were, until their very second, and a genuine token alone is told to
/// have expired.
pub fn claims_of_either_use_come_back_until_they_expire(((tokens, _), (other, _)): Two) {
    for usage in every_use() {
        let claims = claims(usage);
        let token = tokens.issue(&claims).unwrap();
        let last = Timestamp::from_micros(claims.expires_at.as_micros() - 1);
        assert_eq!(tokens.verify(&token, last), Ok(claims.clone()));
        assert_eq!(tokens.verify(&token, claims.expires_at), Err(TokenError::Expired));
        for at in [last, claims.expires_at] {
            assert_eq!(other.verify(&token, at), Err(TokenError::Invalid));
        }
    }
}

/// No token of any kind passes for one of another.
pub fn each_kind_of_token_is_a_thing_of_its_own(((simple, access), _): Two) {
    let access_token = access
        .issue(&AccessClaims {
            user: build::user_id(),
            session: build::session_id(),
            id: build::token_id(),
            issued_at: NOW,
            expires_at: NOW.plus(LIFETIME),
            authenticated_at: NOW,
            methods: vec![AuthMethod::Password],
            roles: Vec::new(),
            email_verified: true,
            phone_verified: false,
        })
        .unwrap();
    let receipt = access
        .issue_receipt(&Receipt {
            verification: build::verification_id(),
            contact: build::email("minji@example.com").into(),
            purpose: Purpose::Login,
            verified_at: NOW,
            expires_at: NOW.plus(LIFETIME),
        })
        .unwrap();
    for token in [access_token, receipt] {
        assert_eq!(simple.verify(&token, NOW), Err(TokenError::Invalid));
    }
    for usage in every_use() {
        let token = simple.issue(&claims(usage)).unwrap();
        assert_eq!(access.verify(&token, NOW), Err(TokenError::Invalid));
        assert!(access.verify_receipt(&token, NOW).is_err());
    }
}

/// Of an altered token nothing is believed.
pub fn an_altered_token_of_this_form_is_refused(((tokens, _), _): Two) {
    for usage in every_use() {
        let token = tokens.issue(&claims(usage)).unwrap();
        for at in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).expect("ASCII");
            if altered != token {
                assert_eq!(tokens.verify(&altered, NOW), Err(TokenError::Invalid), "byte {at}");
            }
        }
        for nothing in ["", ".", "..", "a.b.c", &token[..token.len() - 1], &format!("{token}.")] {
            assert_eq!(tokens.verify(nothing, NOW), Err(TokenError::Invalid), "{nothing}");
        }
    }
}
