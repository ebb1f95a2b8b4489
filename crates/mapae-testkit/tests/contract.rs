//! Every fake keeps what its port promises.
#![expect(clippy::expect_used, reason = "test code: a broken expectation is a failed test")]

mod store {
    use std::sync::Arc;

    use mapae_testkit::fake::MemoryStore;

    mapae_testkit::store_contract! { Some((Arc::new(MemoryStore::new()), ())) }
}

mod clock {
    use std::sync::Arc;

    use mapae_testkit::fake::SetClock;

    mapae_testkit::clock_contract! { Arc::new(SetClock::default()) }
}

mod rng {
    use std::sync::Arc;

    use mapae_testkit::fake::SequenceRng;

    mapae_testkit::rng_contract! { Arc::new(SequenceRng::new(7)) }
}

mod password {
    use std::sync::Arc;

    use mapae_testkit::fake::FakeHasher;

    mapae_testkit::password_contract! { Arc::new(FakeHasher::new()) }
}

mod secret_hasher {
    use mapae_testkit::fake::FakeSecretHasher;

    mapae_testkit::secret_hasher_contract! { FakeSecretHasher::new }
}

mod sealer {
    use mapae_testkit::fake::FakeSealer;

    mapae_testkit::sealer_contract! { FakeSealer::new }
}

mod tokens {
    use std::sync::Arc;

    use mapae_testkit::fake::FakeTokens;

    mapae_testkit::tokens_contract! {
        (Arc::new(FakeTokens::new([1; 32])), Arc::new(FakeTokens::new([2; 32])))
    }
}

mod simplejwt {
    use std::sync::Arc;

    use mapae_testkit::contract::simplejwt::Signers;
    use mapae_testkit::fake::FakeTokens;

    fn signers(key: u8) -> Signers {
        (Arc::new(FakeTokens::new([key; 32])), Arc::new(FakeTokens::new([key; 32])))
    }

    mapae_testkit::simplejwt_contract! { (signers(1), signers(2)) }
}

mod email {
    use std::sync::Arc;

    use mapae_testkit::fake::RecordingEmailSender;

    fn failing() -> Arc<RecordingEmailSender> {
        let sender = RecordingEmailSender::new();
        sender.fail_temporarily(1);
        Arc::new(sender)
    }

    mapae_testkit::email_sender_contract! {
        taking: (Arc::new(RecordingEmailSender::new()), ()),
        failing: (failing(), ()),
    }
}

mod sms {
    use std::sync::Arc;

    use mapae_testkit::fake::RecordingSmsSender;

    fn failing() -> Arc<RecordingSmsSender> {
        let sender = RecordingSmsSender::new();
        sender.fail_temporarily(1);
        Arc::new(sender)
    }

    mapae_testkit::sms_sender_contract! {
        taking: (Arc::new(RecordingSmsSender::new()), ()),
        failing: (failing(), ()),
    }
}

/// The inbox of development is a sender, too, and has its port's promises to keep.
mod inbox {
    use std::sync::Arc;

    use mapae_application::inbox::Inbox;
    use mapae_testkit::fake::{MemoryStore, SetClock};

    fn inbox(store: MemoryStore) -> Arc<Inbox> {
        Arc::new(Inbox::new(Arc::new(store), Arc::new(SetClock::default())))
    }

    fn failing() -> Arc<Inbox> {
        let store = MemoryStore::new();
        store.fail_next_commit();
        inbox(store)
    }

    mapae_testkit::email_sender_contract! {
        taking: (inbox(MemoryStore::new()), ()),
        failing: (failing(), ()),
    }

    mapae_testkit::sms_sender_contract! {
        taking: (inbox(MemoryStore::new()), ()),
        failing: (failing(), ()),
    }
}

mod wake_up {
    use mapae_testkit::fake::MemoryWakeUps;

    mapae_testkit::wake_ups_contract! { Some((MemoryWakeUps::new().processes(), ())) }
}

mod renderer {
    use std::sync::Arc;

    use mapae_testkit::fake::FakeRenderer;

    mapae_testkit::renderer_contract! { Arc::new(FakeRenderer) }
}

mod fakes {
    use std::sync::Arc;
    use std::time::Duration;

    use mapae_application::outbox::MessageContent;
    use mapae_application::ports::{
        Clock, EmailSender, MessageRenderer, OutgoingEmail, PasswordCheck, PasswordHashError,
        PasswordHasher, SecretRng, SendError, Store, StoreError,
    };
    use mapae_domain::{Locale, PasswordHash};
    use mapae_testkit::build;
    use mapae_testkit::fake::{
        FakeHasher, FakeRenderer, MemoryStore, RecordingEmailSender, SequenceRng, SetClock,
        code_in, link_key_in,
    };

    #[test]
    fn a_clock_stands_until_it_is_set_and_its_clones_are_one_clock() {
        let clock = SetClock::at(build::START);
        let same = clock.clone();
        assert_eq!(clock.now(), build::START);
        assert_eq!(same.advance(Duration::from_secs(5)), build::after(5));
        assert_eq!(clock.now(), build::after(5));
        clock.set(build::START);
        assert_eq!(same.now(), build::START);
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let draw = |seed| {
            let mut bytes = [0; 40];
            SequenceRng::new(seed).fill(&mut bytes);
            bytes
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[tokio::test]
    async fn a_commit_that_was_told_to_fail_fails_once() {
        let store = MemoryStore::new();
        let commit = async || {
            let registration = build::a_registration(build::unique_email());
            let mut work = store.begin().await?;
            work.insert_registration(&registration).await?;
            let committed = work.commit().await;
            let mut view = store.read().await?;
            let is_stored = view.registration(registration.id()).await?.is_some();
            Ok::<_, StoreError>((committed, is_stored))
        };
        store.fail_next_commit();
        store.make_next_commit_stale();
        store.lose_next_commit_answer();
        assert!(matches!(commit().await, Ok((Err(StoreError::Unavailable(_)), false))));
        assert!(matches!(commit().await, Ok((Err(StoreError::Stale), false))));
        assert!(matches!(commit().await, Ok((Err(StoreError::Unavailable(_)), true))));
        assert!(matches!(commit().await, Ok((Ok(_), true))));
    }

    #[tokio::test]
    async fn nothing_of_a_stale_unit_of_work_is_committed() {
        let store = MemoryStore::new();
        let registration = build::a_registration(build::unique_email());
        let mut work = store.begin().await.expect("a unit of work");
        work.insert_registration(&registration).await.expect("a new registration");
        assert!(matches!(work.update_registration(&registration).await, Err(StoreError::Stale)));
        assert!(matches!(work.commit().await, Err(StoreError::Stale)));
        let mut view = store.read().await.expect("a view");
        assert_eq!(view.registration(registration.id()).await.expect("an answer"), None);
    }

    #[tokio::test]
    async fn a_hasher_does_the_same_work_for_whoever_does_not_exist() {
        let hasher = FakeHasher::new();
        let good = hasher.hash(build::password("correct horse battery")).await.expect("a hash");
        for hash in [Some(good), None, Some(PasswordHash::from_stored("garbage"))] {
            let before = hasher.computed();
            let checked = hasher.check(build::password("wrong horse"), hash).await;
            assert_eq!(checked, Ok(PasswordCheck::Mismatch));
            assert_eq!(hasher.computed() - before, 1);
        }
        assert_eq!((hasher.hashes(), hasher.checks()), (1, 3));
    }

    #[tokio::test]
    async fn a_hasher_is_overloaded_and_outdated_on_demand() {
        let hasher = FakeHasher::new();
        let typed = || build::password("correct horse battery");
        let hash = hasher.hash(typed()).await.expect("a hash");
        hasher.raise_parameters();
        let outdated = Ok(PasswordCheck::Match { outdated: true });
        assert_eq!(hasher.check(typed(), Some(hash.clone())).await, outdated);
        let retry_after = Duration::from_secs(3);
        hasher.set_overloaded(Some(retry_after));
        let overloaded = PasswordHashError::Overloaded { retry_after };
        assert_eq!(hasher.check(typed(), Some(hash.clone())).await, Err(overloaded));
        assert_eq!(hasher.hash(typed()).await, Err(overloaded));
        hasher.set_overloaded(None);
        assert_eq!(hasher.check(typed(), Some(hash)).await, outdated);
    }

    #[tokio::test]
    async fn a_recording_sender_keeps_a_message_once_and_fails_as_told() {
        let sender = RecordingEmailSender::new();
        let content = MessageContent::Verification {
            purpose: "registration".to_owned(),
            code: "123456".to_owned(),
            link_key: Some("link-key".to_owned()),
            minutes: 30,
        };
        let content = FakeRenderer.email(&content, Locale::Ko).expect("a mail");
        let to = build::email("minji@example.com");
        let mail = OutgoingEmail { id: build::message_id(), to: to.clone(), content };
        sender.fail_temporarily(1);
        sender.fail_permanently(1);
        let port: Arc<dyn EmailSender> = Arc::new(sender.clone());
        assert!(matches!(port.send(&mail).await, Err(SendError::Temporary(_))));
        assert!(matches!(port.send(&mail).await, Err(SendError::Refused { .. })));
        assert!(port.send(&mail).await.is_ok());
        assert!(port.send(&mail).await.is_ok());
        assert_eq!((sender.sent().len(), sender.calls()), (1, 4));
        let last = sender.last_to(&to).expect("a mail to that reader");
        for part in [&last.content.text, &last.content.html] {
            assert_eq!(code_in(part), Some("123456"));
            assert_eq!(link_key_in(part), Some("link-key"));
        }
        assert!(sender.last_to(&build::email("other@example.com")).is_none());
    }
}

/// A promise that no macro names would be kept by nobody.
mod suites {
    use std::path::Path;

    fn promises(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder of suites") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                promises(&path, found);
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("a suite");
            for line in source.lines() {
                let function =
                    line.strip_prefix("pub async fn ").or_else(|| line.strip_prefix("pub fn "));
                let name = function.and_then(|rest| rest.split(['(', '<']).next());
                found.extend(name.map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_promise_is_named_by_its_macro() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract");
        let macros = std::fs::read_to_string(root.join("macros.rs")).expect("the macros");
        let named: Vec<&str> = macros.lines().map(str::trim).collect();
        let mut found = Vec::new();
        promises(&root, &mut found);
        assert!(found.len() > 100, "only {} promises found", found.len());
        let forgotten: Vec<_> =
            found.iter().filter(|promise| !named.contains(&promise.as_str())).collect();
        assert!(forgotten.is_empty(), "no macro names {forgotten:?}");
    }
}
