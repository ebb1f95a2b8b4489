use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::contact::EmailAddress;

const RIGHT: SecretHash = SecretHash::from_bytes([1; 32]);
const WRONG: SecretHash = SecretHash::from_bytes([2; 32]);
const SECOND: SecretHash = SecretHash::from_bytes([3; 32]);
const LINK: SecretHash = SecretHash::from_bytes([4; 32]);
const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn after(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn begin(standing: Standing) -> Verification {
    let mut random = |bytes: &mut [u8]| bytes.fill(7);
    let email = EmailAddress::parse("minji@example.com").expect("an address");
    Verification::begin(
        NewVerification {
            id: VerificationId::draw(START, &mut random),
            contact: email.into(),
            purpose: Purpose::Registration,
            registration: None,
            user: None,
            locale: Locale::En,
            standing,
            challenge: Challenge { code: RIGHT, link: Some(LINK) },
            lifetime: None,
        },
        &VerificationPolicy::default(),
        START,
    )
}

#[test]
fn the_right_code_verifies_once() {
    let (verification, outcome) = begin(Standing::Genuine).prove(Proof::Code(RIGHT), after(1));
    assert_eq!(outcome, Ok(()));
    assert_eq!(verification.status(after(1)), VerificationStatus::Verified);
    let (verification, outcome) = verification.prove(Proof::Code(RIGHT), after(2));
    assert_eq!(outcome, Err(ProofRefused::AlreadyVerified));
    let (_, outcome) = verification.prove(Proof::Link(LINK), after(3));
    assert_eq!(outcome, Err(ProofRefused::AlreadyVerified));
}

#[test]
fn the_fifth_wrong_code_is_the_last_that_is_compared() {
    let mut verification = begin(Standing::Genuine);
    for attempts_left in [4, 3, 2, 1, 0] {
        let outcome;
        (verification, outcome) = verification.prove(Proof::Code(WRONG), after(1));
        assert_eq!(outcome, Err(ProofRefused::Mismatch { attempts_left }));
    }
    for proof in [Proof::Code(RIGHT), Proof::Link(LINK)] {
        let outcome;
        (verification, outcome) = verification.prove(proof, after(2));
        assert_eq!(outcome, Err(ProofRefused::Exhausted));
    }
    assert_eq!(verification.status(after(2)), VerificationStatus::Exhausted);
}

#[test]
fn nothing_verifies_from_the_instant_of_expiry_on() {
    for (at, expected) in [(1_799, Ok(())), (1_800, Err(ProofRefused::Expired))] {
        for proof in [Proof::Code(RIGHT), Proof::Link(LINK)] {
            let (_, outcome) = begin(Standing::Genuine).prove(proof, after(at));
            assert_eq!(outcome, expected, "{at} s");
        }
    }
}

#[test]
fn a_link_key_costs_no_attempt() {
    let (verification, outcome) = begin(Standing::Genuine).prove(Proof::Link(WRONG), after(1));
    assert_eq!(outcome, Err(ProofRefused::Mismatch { attempts_left: 5 }));
    let (_, outcome) = verification.prove(Proof::Link(LINK), after(1));
    assert_eq!(outcome, Ok(()));
}

#[test]
fn a_decoy_behaves_like_any_other_and_never_verifies() {
    let mut genuine = begin(Standing::Genuine);
    let mut decoy = begin(Standing::Decoy);
    for _ in 0..6 {
        let (of_genuine, of_decoy);
        (genuine, of_genuine) = genuine.prove(Proof::Code(WRONG), after(1));
        (decoy, of_decoy) = decoy.prove(Proof::Code(WRONG), after(1));
        assert_eq!(of_genuine, of_decoy);
        assert_eq!(genuine.status(after(1)), decoy.status(after(1)));
        assert_eq!(genuine.attempts_left(), decoy.attempts_left());
    }
    for proof in [Proof::Code(RIGHT), Proof::Link(LINK)] {
        let (_, outcome) = begin(Standing::Decoy).prove(proof, after(1));
        assert!(matches!(outcome, Err(ProofRefused::Mismatch { .. })), "{outcome:?}");
    }
}

#[test]
fn who_proves_a_superseded_contact_is_told_and_who_guesses_is_not() {
    let (guessed, outcome) = begin(Standing::Superseded).prove(Proof::Code(WRONG), after(1));
    assert_eq!(outcome, Err(ProofRefused::Mismatch { attempts_left: 4 }));
    assert_eq!(guessed.status(after(1)), VerificationStatus::Pending);
    let (proved, outcome) = guessed.prove(Proof::Code(RIGHT), after(1));
    assert_eq!(outcome, Err(ProofRefused::ContactTaken));
    assert_eq!(proved.status(after(1)), VerificationStatus::Cancelled);
}

#[test]
fn a_resend_waits_and_a_refused_one_changes_nothing() {
    let verification = begin(Standing::Genuine);
    let challenge = Challenge { code: SECOND, link: None };
    let policy = VerificationPolicy::default();
    let refused = verification.clone().resend(challenge, &policy, after(59)).err();
    assert_eq!(refused, Some(ResendRefused::TooEarly { resend_at: after(60) }));
    let resent = verification.resend(challenge, &policy, after(60)).expect("it may be sent");
    assert_eq!(resent.record().sends_used, 2);
    assert_eq!(resent.record().resend_at, after(120));
    assert_eq!(resent.record().expires_at, after(60 + 1_800));
}

#[test]
fn the_previous_code_stays_good_for_five_minutes_after_a_resend() {
    let challenge = Challenge { code: SECOND, link: None };
    let policy = VerificationPolicy::default();
    for (at, expected) in
        [(60 + 299, Ok(())), (60 + 300, Err(ProofRefused::Mismatch { attempts_left: 4 }))]
    {
        for proof in [RIGHT, SECOND] {
            let resent =
                begin(Standing::Genuine).resend(challenge, &policy, after(60)).expect("a resend");
            let (_, outcome) = resent.prove(Proof::Code(proof), after(at));
            let expected = if proof.matches(&SECOND) { Ok(()) } else { expected };
            assert_eq!(outcome, expected, "{at} s");
        }
    }
}

#[test]
fn a_resend_gives_no_new_attempts_and_ends_with_the_sends() {
    let challenge = Challenge { code: SECOND, link: None };
    let policy = VerificationPolicy::default();
    let (mut verification, _) = begin(Standing::Genuine).prove(Proof::Code(WRONG), after(1));
    for send in 1..=4 {
        verification = verification.resend(challenge, &policy, after(send * 60)).expect("a resend");
    }
    assert_eq!(verification.attempts_left(), 4);
    let refused = verification.resend(challenge, &policy, after(600)).err();
    assert_eq!(refused, Some(ResendRefused::SendsExhausted));
}

#[test]
fn a_receipt_is_redeemed_once_and_not_after_ten_minutes() {
    let policy = VerificationPolicy::default();
    let pending = begin(Standing::Genuine);
    assert_eq!(pending.clone().redeem(&policy, after(1)).err(), Some(ReceiptRefused));
    let (verified, _) = pending.prove(Proof::Code(RIGHT), after(1));
    let (used, receipt) = verified.clone().redeem(&policy, after(600)).expect("a good receipt");
    assert_eq!((receipt.verified_at, receipt.expires_at), (after(1), after(601)));
    assert_eq!(used.redeem(&policy, after(600)).err(), Some(ReceiptRefused));
    assert_eq!(verified.redeem(&policy, after(601)).err(), Some(ReceiptRefused));
}

#[test]
fn a_code_to_log_in_lives_ten_minutes_at_the_most() {
    let policy = VerificationPolicy::default();
    assert_eq!(policy.lifetime(Channel::Email, &Purpose::Login), Duration::from_secs(600));
    assert_eq!(policy.lifetime(Channel::Sms, &Purpose::Login), Duration::from_secs(300));
    assert!(!carries_link(Channel::Email, &Purpose::Login));
}

#[test]
fn every_number_of_the_policy_has_its_bounds() {
    let default = VerificationPolicy::default();
    assert!(default.clone().check().is_ok());
    let outside = [
        VerificationPolicy { code_length: 3, ..default.clone() },
        VerificationPolicy { code_length: 11, ..default.clone() },
        VerificationPolicy { attempts: 0, ..default.clone() },
        VerificationPolicy { attempts: 11, ..default.clone() },
        VerificationPolicy { sms_lifetime: Duration::from_secs(59), ..default.clone() },
        VerificationPolicy { email_lifetime: Duration::from_secs(86_401), ..default.clone() },
        VerificationPolicy { sends: 0, ..default },
    ];
    for policy in outside {
        assert!(policy.clone().check().is_err(), "{policy:?}");
    }
}

#[test]
fn a_purpose_is_one_of_ours_or_a_name_of_the_callers() {
    for name in ["registration", "login", "password_reset", "contact_change", "pay.confirm:v2"] {
        assert_eq!(Purpose::parse(name).map(|p| p.as_str().to_owned()), Ok(name.to_owned()));
    }
    for name in ["", "Login", "1st", "a b", "é", &"a".repeat(65)] {
        assert!(Purpose::parse(name).is_err(), "{name:?}");
    }
}

/// What anyone can do to a verification.
#[derive(Debug, Clone, Copy)]
enum Step {
    RightCode,
    FirstCode,
    WrongCode,
    RightLink,
    WrongLink,
    Resend,
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => Just(Step::RightCode),
        1 => Just(Step::FirstCode),
        3 => Just(Step::WrongCode),
        1 => Just(Step::RightLink),
        1 => Just(Step::WrongLink),
        2 => Just(Step::Resend),
        3 => (0..900_u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn no_sequence_verifies_twice_late_or_with_more_than_the_attempts_allowed(
        steps in steps(),
        attempts in 1_u8..=10,
        decoy in any::<bool>(),
    ) {
        let policy = VerificationPolicy { attempts, ..VerificationPolicy::default() };
        let mut record = begin(if decoy { Standing::Decoy } else { Standing::Genuine }).0;
        record.attempts_allowed = attempts;
        let mut verification = Verification(record);
        let mut now = START;
        let (mut compared, mut successes) = (0_u32, 0_u32);
        for step in steps {
            let expires_at = verification.record().expires_at;
            let proof = match step {
                Step::RightCode => Proof::Code(verification.record().challenge.code),
                Step::FirstCode => Proof::Code(RIGHT),
                Step::WrongCode => Proof::Code(WRONG),
                Step::RightLink => Proof::Link(LINK),
                Step::WrongLink => Proof::Link(WRONG),
                Step::Wait(seconds) => {
                    now = now.plus(Duration::from_secs(seconds));
                    continue;
                }
                Step::Resend => {
                    let challenge = Challenge { code: SECOND, link: Some(LINK) };
                    if let Ok(resent) = verification.clone().resend(challenge, &policy, now) {
                        verification = resent;
                    }
                    prop_assert!(verification.record().sends_used <= policy.sends);
                    continue;
                }
            };
            let outcome;
            (verification, outcome) = verification.prove(proof, now);
            match outcome {
                Ok(()) => {
                    successes += 1;
                    compared += u32::from(matches!(proof, Proof::Code(_)));
                    prop_assert!(now < expires_at, "verified once expired");
                }
                Err(ProofRefused::Mismatch { .. }) => {
                    compared += u32::from(matches!(proof, Proof::Code(_)));
                }
                Err(_) => {}
            }
            prop_assert!(compared <= u32::from(attempts), "{compared} of {attempts} compared");
            prop_assert!(successes <= u32::from(!decoy), "verified {successes} times");
        }
    }
}
