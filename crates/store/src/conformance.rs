//! The conformance tests of stores: one suite that runs on every store. A new store is one more line at the end of
//! `suite!`.

mod changes;
pub(crate) mod jobs;
pub(crate) mod old_names;
mod pens;
pub(crate) mod preconditions;
mod queries;
mod random;
pub(crate) mod rows;
mod sweeping;
mod tickets;

use std::sync::Arc;

use crate::{Memory, Mode, Postgres, Sqlite, Store};

/// An empty store, with its folder, which is removed after the test.
pub(crate) struct Fixture {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) folder: Option<tempfile::TempDir>,
}

pub(crate) fn memory() -> Fixture {
    Fixture { store: Arc::new(Memory::default()), folder: None }
}

pub(crate) fn sqlite() -> Fixture {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let store = Sqlite::open(&folder.path().join("test.db"), Mode::Create).expect("a new database can be made");
    Fixture { store: Arc::new(store), folder: Some(folder) }
}

pub(crate) async fn postgres() -> Fixture {
    let store = Postgres::open(&lab::database(), Mode::Create).await.expect("an empty database can be filled");
    Fixture { store: Arc::new(store), folder: None }
}

/// Declares a test for every case and every store.
macro_rules! suite {
    ($($module:ident: $($case:ident)*;)*) => {
        mod on_memory {
            $($(#[tokio::test] async fn $case() { super::$module::$case(&*super::memory().store).await; })*)*
        }
        mod on_sqlite {
            $($(#[tokio::test] async fn $case() {
                let fixture = super::sqlite();
                super::$module::$case(&*fixture.store).await;
                drop(fixture.folder);
            })*)*
        }
        mod on_postgres {
            $($(#[tokio::test] async fn $case() {
                super::$module::$case(&*super::postgres().await.store).await;
            })*)*
        }
    };
}

suite! {
    changes:
        rows_are_found_as_they_were_put
        rows_without_their_optional_parts_are_found_as_they_were_put
        what_is_not_there_is_absent
        a_spent_code_stays_and_is_spent
        a_rotated_refresh_token_takes_the_place_of_the_old_one
        a_used_refresh_token_may_stay_the_same
        a_revoked_grant_takes_its_tokens_along
        a_token_for_a_revoked_grant_is_born_dead
        a_token_whose_grant_is_gone_is_dead
        a_grant_is_found_by_its_access_token
        a_code_whose_grant_has_not_begun_is_alive
        a_revoked_access_token_is_gone_and_its_grant_lives
        a_revoked_personal_token_is_gone
        touching_changes_the_times_alone
        the_last_use_of_a_secret_is_kept_for_as_long_as_the_client_has_it
        a_withdrawn_consent_takes_grants_and_open_codes_along
        a_session_ends_alone
        a_dropped_identity_is_gone_and_may_be_linked_again
        a_burned_token_is_remembered
        all_sessions_of_a_user_end_but_for_one
        a_deleted_user_takes_everything_along
        a_deleted_client_takes_everything_along
        what_hangs_on_a_row_is_as_it_is_now
        failures_are_counted_until_their_window_is_over
        a_passed_counter_forgets_only_when_told_to
        the_counters_of_an_account_are_cleared_together
        sealing_keys_keep_their_order
        a_signing_key_goes_from_one_state_to_the_next_and_nobody_overtakes
        the_fingerprint_of_the_first_master_key_stays
        no_changes_are_no_trouble;
    preconditions:
        a_code_is_spent_once
        a_refresh_token_is_rotated_by_its_current_digest_alone
        a_revoked_grant_cannot_be_refreshed
        a_grant_without_a_refresh_token_cannot_be_refreshed
        a_turn_relies_on_what_it_saw
        a_turn_relies_on_the_rows_before_it
        the_writes_of_a_turn_are_made_in_their_order
        a_user_has_fewer_rows_than_a_limit
        a_shut_door_counts_and_passes_nobody
        an_old_version_cannot_be_put
        a_new_row_is_put_once
        an_identity_belongs_to_one_user
        a_token_is_burned_once
        a_client_id_is_given_once
        names_of_users_are_given_once
        user_names_that_look_the_same_are_given_once
        a_client_id_is_never_a_sub
        of_a_client_and_a_user_who_race_for_an_id_one_gets_it
        a_set_that_is_lost_does_not_hurt_its_neighbours
        what_is_revoked_by_its_id_has_a_smaller_one
        a_name_with_a_nul_is_nobodys;
    jobs:
        a_job_is_found_as_it_was_put
        a_job_of_a_lost_turn_is_not_there
        a_claimed_job_is_nobody_else_s_until_the_claim_is_over
        jobs_are_claimed_when_they_are_due_the_longest_due_first
        a_failed_job_is_due_later_and_a_dead_one_never
        a_job_of_a_kind_that_a_worker_does_not_know_stays_as_it_is
        an_operator_retries_and_drops_jobs
        a_job_of_an_unknown_kind_is_buried_when_it_has_waited_for_long
        a_waiting_job_is_never_swept
        jobs_are_listed_and_counted_by_state_and_kind
        of_workers_who_race_each_gets_other_jobs
        a_turn_of_another_that_is_lost_takes_no_job_along;
    tickets:
        a_ticket_is_found_as_it_was_put
        a_new_ticket_is_put_once
        a_ticket_is_spent_once_in_the_version_that_was_judged
        a_ticket_is_changed_in_the_version_that_was_judged_and_only_unspent
        a_ticket_goes_with_its_user_or_its_client
        a_ticket_that_is_revoked_by_its_id_has_a_smaller_one
        an_expired_ticket_is_swept_spent_or_not
        a_ticket_of_one_kind_is_never_accepted_as_another
        of_racers_one_uses_a_ticket_over_every_schedule;
    pens:
        nobody_else_writes_while_a_pen_is_held
        a_turn_that_is_lost_keeps_its_pen
        a_pen_that_is_dropped_writes_nothing_and_lets_others_write
        a_pen_writes_one_turn
        a_pen_that_is_kept_too_long_is_taken_away;
    queries:
        clients_and_users_come_in_pages
        a_search_finds_a_text_anywhere_in_a_name_across_pages
        clients_are_found_by_owner_and_by_id
        a_user_is_found_under_every_name
        a_sub_wins_over_a_user_name
        sessions_come_newest_first
        identities_are_those_of_their_user
        applications_are_consents_and_live_grants
        grants_can_be_narrowed_down
        personal_tokens_come_with_their_user
        connected_users_are_counted_once
        owned_counts_are_those_of_the_session_s_user
        events_come_latest_first
        events_can_be_narrowed_down_and_come_in_pages
        counts_say_how_much_there_is
        ages_say_when_the_first_and_the_last_row_were_made
        the_greatest_id_is_above_all_rows
        consent_and_attempts_go_by_login_before_session
        an_identity_leads_to_its_user_before_login_and_session;
    sweeping:
        live_rows_stay
        expired_rows_go
        events_are_kept_for_as_long_as_the_operator_wants
        a_spent_code_outlives_its_end
        a_burned_token_is_remembered_until_its_end
        a_long_lived_token_goes_when_its_client_user_or_grant_is_gone
        a_sweep_removes_no_more_than_it_may_and_goes_on;
}
