//! The macros that turn promises into tests. A promise that no macro names is found by a test.

/// Declares one test for each promise of [`Store`](mapae_application::ports::Store).
///
/// The expression is evaluated for each test, in an async function, and gives an empty store and a
/// guard that is kept until the test's end: `(Arc<dyn Store>, guard)`.
///
/// ```ignore
/// mapae_testkit::store_contract! { fresh().await }
/// ```
#[macro_export]
macro_rules! store_contract {
    ($fresh:expr $(,)?) => {
        $crate::__contract_of_store! { $fresh;
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
                a_contact_makes_one_user_among_many_at_once
                a_username_is_reserved_once_until_it_expires
                an_assigned_username_is_assigned_for_good
                a_username_that_was_lost_is_not_assigned
                a_username_is_reserved_once_among_many_at_once
                decisions_are_kept_oldest_first
            }
            session {
                an_unknown_session_is_none
                a_session_comes_back_with_its_user
                a_rotation_starts_from_the_stored_generation
                a_session_is_rotated_once_among_many_at_once
                an_ended_session_stays_ended
                ending_a_session_undoes_no_rotation
                no_rotation_comes_after_the_end
            }
            outbox {
                an_empty_outbox_has_nothing_to_send
                a_leased_message_is_the_one_that_was_stored
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
            }
            inbox {
                a_kept_message_comes_back_as_it_was
                a_message_is_kept_once
                messages_are_listed_newest_first
                deleted_messages_are_counted
            }
            signing_key {
                signing_keys_come_back_oldest_first
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
            let (store, _guard) = $fresh;
            $crate::contract::store::$topic::$promise(store).await;
        }
    )*)*};
}
