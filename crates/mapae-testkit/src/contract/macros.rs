//! The macros that turn promises into tests. A promise that no macro names is found by a test.

/// Declares one test for each promise of [`Store`](mapae_application::ports::Store).
///
/// The expression is evaluated for each test, in an async function, and gives an empty store and a
/// guard that is kept until the test's end: `Some((Arc<dyn Store>, guard))`; or `None`, where there is
/// no store to test.
///
/// ```ignore
/// mapae_testkit::store_contract! { fresh().await }
/// ```
#[macro_export]
macro_rules! store_contract {
    ($fresh:expr $(,)?) => {
        $crate::__promises_of_store! { __contract_of_store; $fresh }
    };
}

/// Holds one store to every promise of [`Store`](mapae_application::ports::Store), one after the other,
/// in an async function on several threads: what a store does in all.
///
/// The expression is an async closure that empties the store and gives it as an `Arc<dyn Store>`.
///
/// ```ignore
/// mapae_testkit::keep_every_store_promise! { empty }
/// ```
#[macro_export]
macro_rules! keep_every_store_promise {
    ($empty:expr $(,)?) => {
        $crate::__promises_of_store! { __each_of_store; $empty }
    };
}

/// The promises of a store, topic by topic, handed to another macro of this crate.
#[doc(hidden)]
#[macro_export]
macro_rules! __promises_of_store {
    ($then:ident; $fresh:expr) => {
        $crate::$then! { $fresh;
            unit_of_work {
                a_store_that_works_answers_a_ping
                what_was_committed_is_visible
                a_dropped_unit_of_work_undoes_everything
                what_is_not_committed_is_invisible
                a_read_view_does_not_wait_for_an_open_unit_of_work
                a_read_view_is_consistent
                an_open_read_view_keeps_nobody_from_writing
                a_wait_that_is_given_up_blocks_nobody
                many_units_of_work_at_once_all_succeed
            }
            registration {
                an_unknown_registration_is_none
                a_full_registration_comes_back_as_it_was
                a_bare_registration_comes_back_as_it_was
                an_updated_registration_comes_back_changed
                a_stale_update_of_a_registration_is_refused
                no_change_of_a_locked_registration_is_lost
            }
            verification {
                an_unknown_verification_is_none
                a_full_verification_comes_back_as_it_was
                a_bare_verification_comes_back_as_it_was
                a_verification_of_every_kind_comes_back_as_it_was
                an_updated_verification_comes_back_changed
                a_stale_update_of_a_verification_is_refused
                the_verifications_of_a_registration_are_found_oldest_first
                a_verification_is_found_by_its_last_two_links
                no_attempt_is_lost_among_many_at_once
                a_right_code_is_accepted_once_among_many_at_once
                only_rivals_for_the_contact_are_superseded
                a_contact_gets_exactly_its_limit_of_messages
                a_window_of_messages_ends_when_its_first_said
                contacts_are_counted_apart
            }
            user {
                an_unknown_user_is_none
                a_full_user_comes_back_as_it_was
                a_bare_user_comes_back_as_it_was
                an_updated_user_comes_back_changed
                a_contact_is_added_by_itself
                a_stale_update_of_a_user_is_refused
                a_contact_is_held_by_one_user
                contacts_are_compared_exactly
                who_holds_a_user_is_alone_with_them
                a_contact_makes_one_user_among_many_at_once
                a_username_is_reserved_once_until_it_expires
                an_assigned_username_is_assigned_for_good
                a_username_that_was_lost_is_not_assigned
                a_username_is_reserved_once_among_many_at_once
                a_username_is_claimed_by_one_user
                a_username_is_claimed_once_among_many_at_once
                decisions_are_kept_oldest_first
                decisions_to_reconfirm_are_found_when_due
                a_reminder_is_recorded_once
                users_whose_time_has_come_are_found_longest_first
                an_erased_user_leaves_nothing_but_bare_audit_entries
                what_is_kept_of_a_user_is_found_by_the_user
                a_contact_that_was_taken_comes_back_once
                only_a_users_pending_changes_of_a_channel_are_given_up
                a_deleted_contact_is_free
            }
            session {
                an_unknown_session_is_none
                a_session_comes_back_with_its_user
                a_rotation_starts_from_the_stored_generation
                a_session_is_rotated_once_among_many_at_once
                an_ended_session_stays_ended
                ending_a_session_undoes_no_rotation
                no_rotation_comes_after_the_end
                a_session_remembers_from_where_it_was_opened
                open_sessions_are_listed_latest_first
                a_users_sessions_end_but_the_excepted_one
                an_open_session_is_reauthenticated_and_an_ended_one_is_not
            }
            audit {
                audit_entries_come_back_latest_first
            }
            retention {
                what_is_over_is_deleted_in_batches_oldest_first
                what_is_not_over_stays_whatever_else_is_deleted
            }
            outbox {
                an_empty_outbox_has_nothing_to_send
                what_waits_is_counted_with_since_when
                a_leased_message_is_the_one_that_was_stored
                a_commit_names_the_channels_of_what_it_queued
                a_message_is_leased_when_it_is_due
                the_longest_due_is_leased_first
                an_expired_lease_gives_way_to_one_with_a_higher_fence
                a_lease_that_was_not_committed_is_none
                no_message_is_leased_by_two_at_once
                a_message_to_try_again_is_leased_when_it_is_due_again
                a_lost_lease_records_nothing
                an_expired_lease_that_went_to_nobody_still_records
                a_final_message_is_never_leased
                a_message_past_its_deadline_is_leased_and_given_up
                the_next_due_time_knows_of_leases
                the_delivery_is_that_of_the_latest_message
                a_channel_is_leased_without_the_other
                a_message_is_found_by_its_own_name_and_its_providers
                a_question_is_claimed_when_it_is_due_and_by_one
                no_question_is_claimed_by_two_at_once
                a_report_is_stored_with_its_reason
                a_report_comes_before_what_its_worker_records
                messages_are_listed_by_status_and_latest_change
            }
            deliverability {
                an_unknown_address_is_deliverable
                the_latest_mark_of_an_address_counts
                a_mark_that_was_not_committed_is_none
            }
            inbox {
                a_kept_message_comes_back_as_it_was
                a_message_is_kept_once
                messages_are_listed_newest_first
                deleted_messages_are_counted
            }
            signing_key {
                signing_keys_come_back_oldest_first
                the_first_key_is_made_once_among_many_at_once
            }
            idempotency {
                a_claim_is_fresh_then_repeated_or_mismatched
                an_expired_claim_is_as_none
                a_claim_that_was_not_committed_is_none
                a_key_is_claimed_once_among_many_at_once
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __contract_of_store {
    ($fresh:expr; $($topic:ident { $($promise:ident)* })*) => {$($(
        #[::tokio::test(flavor = "multi_thread")]
        async fn $promise() {
            let Some((store, _guard)) = $fresh else { return };
            $crate::contract::store::$topic::$promise(store).await;
        }
    )*)*};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __each_of_store {
    ($empty:expr; $($topic:ident { $($promise:ident)* })*) => {{
        // Each in a frame of its own: all of them in one would be more than a stack holds.
        #[inline(never)]
        fn keep<'a, S: 'a, F: ::std::future::Future<Output = ()> + 'a>(
            empty: &'a impl AsyncFn() -> S,
            promise: impl FnOnce(S) -> F + 'a,
        ) -> ::std::pin::Pin<::std::boxed::Box<dyn ::std::future::Future<Output = ()> + 'a>> {
            ::std::boxed::Box::pin(async move { promise(empty().await).await })
        }
        let empty = &$empty;
        $($( keep(empty, $crate::contract::store::$topic::$promise).await; )*)*
    }};
}

/// Declares one test for each promise of [`Clock`](mapae_application::ports::Clock).
///
/// The expression is evaluated for each test and gives the clock in an `Arc`.
///
/// ```ignore
/// mapae_testkit::clock_contract! { Arc::new(SystemClock) }
/// ```
#[macro_export]
macro_rules! clock_contract {
    ($clock:expr $(,)?) => {
        $crate::__contract! { clock, $clock;
            the_time_is_of_this_age
            readings_are_close_on_every_thread
        }
    };
}

/// Declares one test for each promise of [`SecretRng`](mapae_application::ports::SecretRng).
///
/// The expression is evaluated for each test and gives the generator in an `Arc`.
///
/// ```ignore
/// mapae_testkit::rng_contract! { Arc::new(SystemRng) }
/// ```
#[macro_export]
macro_rules! rng_contract {
    ($rng:expr $(,)?) => {
        $crate::__contract! { rng, $rng;
            every_byte_is_filled
            what_was_there_before_does_not_matter
            nothing_comes_twice_on_any_thread
            every_bit_is_set_about_half_of_the_time
        }
    };
}

/// Declares one test for each promise of
/// [`PasswordHasher`](mapae_application::ports::PasswordHasher).
///
/// The expression is evaluated for each test, in an async function, and gives the hasher in an
/// `Arc`.
///
/// ```ignore
/// mapae_testkit::password_contract! { Arc::new(hasher()) }
/// ```
#[macro_export]
macro_rules! password_contract {
    ($hasher:expr $(,)?) => {
        $crate::__async_contract! { password, ($hasher, ());
            the_right_password_matches
            another_password_does_not_match
            without_a_hash_nothing_matches
            a_hash_that_cannot_be_read_matches_nothing
            two_hashes_of_one_password_differ
            any_script_and_length_is_a_password
            a_hash_does_not_show_the_password
            a_few_at_once_are_all_answered
        }
    };
}

/// Declares one test for each promise of [`SecretHasher`](mapae_application::ports::SecretHasher).
///
/// The expression is evaluated for each test and gives what makes a hasher of a secret of 32 bytes:
/// `impl Fn([u8; 32]) -> impl SecretHasher`.
///
/// ```ignore
/// mapae_testkit::secret_hasher_contract! { |secret| keyring(secret) }
/// ```
#[macro_export]
macro_rules! secret_hasher_contract {
    ($make:expr $(,)?) => {
        $crate::__contract! { secret_hasher, $make;
            one_input_has_one_hash_on_every_replica
            another_secret_gives_another_hash
            each_context_has_hashes_of_its_own
            parts_are_kept_apart
            every_bit_of_the_input_counts
        }
    };
}

/// Declares one test for each promise of
/// [`MessageSealer`](mapae_application::ports::MessageSealer).
///
/// The expression is evaluated for each test and gives what makes a sealer of a secret of 32 bytes:
/// `impl Fn([u8; 32]) -> impl MessageSealer`.
///
/// ```ignore
/// mapae_testkit::sealer_contract! { |secret| keyring(secret) }
/// ```
#[macro_export]
macro_rules! sealer_contract {
    ($make:expr $(,)?) => {
        $crate::__contract! { sealer, $make;
            what_was_sealed_is_opened_by_every_replica
            what_was_sealed_shows_nothing
            two_sealings_of_one_content_look_unrelated
            another_context_does_not_open
            another_secret_does_not_open
            a_single_altered_bit_is_refused
            what_was_never_sealed_is_refused
        }
    };
}

/// Declares one test for each promise of [`AccessTokens`](mapae_application::ports::AccessTokens).
///
/// The expression is evaluated for each test and gives two installations that have no key in
/// common, each in an `Arc`.
///
/// ```ignore
/// mapae_testkit::tokens_contract! { (Arc::new(tokens("first")), Arc::new(tokens("second"))) }
/// ```
#[macro_export]
macro_rules! tokens_contract {
    ($two:expr $(,)?) => {
        $crate::__contract_of_tokens! { $two;
            claims_come_back_as_they_were
            a_token_fits_into_a_header
            a_token_expires_at_its_very_second
            parts_of_a_second_are_dropped
            receipts_come_back_as_they_were
            an_access_token_and_a_receipt_are_two_things
            an_altered_token_is_refused
            parts_of_two_tokens_make_no_third
            what_never_was_a_token_is_refused
            tokens_of_another_installation_are_refused
            only_a_genuine_token_is_told_to_have_expired
            the_published_keys_are_public
        }
    };
}

/// Declares one test for each promise of
/// [`SimpleJwtTokens`](mapae_application::ports::SimpleJwtTokens).
///
/// The expression gives the signers of two installations, each its `SimpleJwtTokens` and its
/// `AccessTokens`, in an `Arc` each.
///
/// ```ignore
/// mapae_testkit::simplejwt_contract! { (signers("first"), signers("second")) }
/// ```
#[macro_export]
macro_rules! simplejwt_contract {
    ($two:expr $(,)?) => {
        $crate::__contract_of_simplejwt! { $two;
            claims_of_either_use_come_back_until_they_expire
            each_kind_of_token_is_a_thing_of_its_own
            an_altered_token_of_this_form_is_refused
        }
    };
}

/// Declares one test for each promise of [`EmailSender`](mapae_application::ports::EmailSender).
///
/// Both expressions are evaluated in an async function and give `(Arc<dyn EmailSender>, guard)`:
/// `taking` a sender whose provider takes every mail, `failing` one whose provider cannot be
/// reached or cannot take any now.
///
/// ```ignore
/// mapae_testkit::email_sender_contract! {
///     taking: stub(Answer::Accepted).await,
///     failing: stub(Answer::Throttled).await,
/// }
/// ```
#[macro_export]
macro_rules! email_sender_contract {
    (taking: $taking:expr, failing: $failing:expr $(,)?) => {
        $crate::__async_contract! { email, $taking;
            a_mail_that_is_taken_gives_a_receipt
            any_text_is_sent
            a_mail_may_be_handed_over_again
            many_mails_go_side_by_side
        }
        $crate::__async_contract! { email, $failing;
            a_provider_out_of_reach_is_worth_another_try
            a_failure_tells_nothing_of_the_mail
        }
    };
}

/// Declares one test for each promise of [`SmsSender`](mapae_application::ports::SmsSender).
///
/// Both expressions are evaluated in an async function and give `(Arc<dyn SmsSender>, guard)`:
/// `taking` a sender whose provider takes every message, `failing` one whose provider cannot be
/// reached or cannot take any now.
///
/// ```ignore
/// mapae_testkit::sms_sender_contract! {
///     taking: stub(Answer::Accepted).await,
///     failing: stub(Answer::Throttled).await,
/// }
/// ```
#[macro_export]
macro_rules! sms_sender_contract {
    (taking: $taking:expr, failing: $failing:expr $(,)?) => {
        $crate::__async_contract! { sms, $taking;
            a_message_that_is_taken_gives_a_receipt
            any_short_text_is_sent
            a_message_may_be_handed_over_again
            many_messages_go_side_by_side
        }
        $crate::__async_contract! { sms, $failing;
            a_carrier_out_of_reach_is_worth_another_try
            a_failure_tells_nothing_of_the_message
        }
    };
}

/// Declares one test for each promise of
/// [`MessageRenderer`](mapae_application::ports::MessageRenderer).
///
/// The expression is evaluated for each test and gives the renderer in an `Arc`.
///
/// ```ignore
/// mapae_testkit::renderer_contract! { Arc::new(renderer()) }
/// ```
#[macro_export]
macro_rules! renderer_contract {
    ($renderer:expr $(,)?) => {
        $crate::__contract! { renderer, $renderer;
            a_mail_carries_its_code_and_link
            a_mail_has_a_subject_of_one_line
            what_people_have_chosen_is_no_markup
            a_short_message_carries_its_code_and_fits
            an_account_holder_is_told_so
            every_notice_has_words
            a_test_has_words
            each_language_has_words_of_its_own
            there_are_no_words_for_nothing
            a_failure_tells_nothing_of_the_content
        }
    };
}

/// Declares one test for each promise of [`WakeUps`](mapae_application::ports::WakeUps).
///
/// The expression is evaluated for each test, in an async function, and gives two processes of one
/// installation and a guard that is kept until the test's end:
/// `Some((contract::wake_up::Processes, guard))`; or `None`, where there is nothing to test.
///
/// ```ignore
/// mapae_testkit::wake_ups_contract! { fresh().await }
/// ```
#[macro_export]
macro_rules! wake_ups_contract {
    ($fresh:expr $(,)?) => {
        $crate::__contract_of_wake_ups! { $fresh;
            who_begins_to_listen_is_woken_for_what_was_missed
            who_listens_is_woken_by_another_process
            who_listens_is_woken_by_their_own_process
            everybody_who_listens_is_woken
            each_channel_wakes_its_own
            a_wake_up_that_nobody_hears_is_no_failure
            a_hundred_rings_in_a_burst_wake_and_are_few_wake_ups
            after_the_connection_was_cut_it_is_listened_again
            who_gave_up_listening_leaves_nothing_behind
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __contract_of_wake_ups {
    ($fresh:expr; $($promise:ident)*) => {$(
        #[::tokio::test(flavor = "multi_thread")]
        async fn $promise() {
            let Some((processes, _guard)) = $fresh else { return };
            $crate::contract::wake_up::$promise(processes).await;
        }
    )*};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __contract {
    ($suite:ident, $adapter:expr; $($promise:ident)*) => {$(
        #[test]
        fn $promise() {
            $crate::contract::$suite::$promise($adapter);
        }
    )*};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __async_contract {
    ($suite:ident, $adapter:expr; $($promise:ident)*) => {$(
        #[::tokio::test(flavor = "multi_thread")]
        async fn $promise() {
            let (adapter, _guard) = $adapter;
            $crate::contract::$suite::$promise(adapter).await;
        }
    )*};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __contract_of_tokens {
    ($two:expr; $($promise:ident)*) => {$(
        #[test]
        fn $promise() {
            let (first, second) = $two;
            $crate::contract::tokens::$promise((first, second));
        }
    )*};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __contract_of_simplejwt {
    ($two:expr; $($promise:ident)*) => {$(
        #[test]
        fn $promise() {
            $crate::contract::simplejwt::$promise($two);
        }
    )*};
}
