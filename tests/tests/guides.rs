//! The guides of docs/guide hold: each is walked through as a reader would, against the real binary. `tests::guide` says how
//! a guide tells what is run.

use tests::guide::{Walked, walk};
use tests::skip;

/// Walks through a guide, which must have at least so many blocks that are run or compared.
fn assert_holds(test: &str, guide: &str, blocks_min: usize) {
    match walk(guide) {
        Ok(Walked::Whole(blocks)) => assert!(blocks >= blocks_min, "{guide}: only {blocks} blocks were run"),
        Ok(Walked::Lacks(what)) => skip(test, &what),
        Err(why) => panic!("{why}"),
    }
}

#[test]
fn what_the_guide_to_operation_says_holds() {
    assert_holds("what_the_guide_to_operation_says_holds", "operate.md", 12);
}

#[test]
fn an_installation_is_backed_up_and_restored_as_the_guide_says() {
    assert_holds("an_installation_is_backed_up_and_restored_as_the_guide_says", "backup.md", 15);
}

#[test]
fn an_installation_is_upgraded_and_taken_back_as_the_guide_says() {
    assert_holds("an_installation_is_upgraded_and_taken_back_as_the_guide_says", "upgrade.md", 6);
}

#[test]
fn a_service_is_set_up_as_the_guide_says() {
    assert_holds("a_service_is_set_up_as_the_guide_says", "service.md", 6);
}

#[test]
fn an_application_is_integrated_as_the_guide_says() {
    assert_holds("an_application_is_integrated_as_the_guide_says", "integrate.md", 10);
}

#[test]
fn an_api_checks_tokens_as_the_guide_says() {
    assert_holds("an_api_checks_tokens_as_the_guide_says", "api.md", 6);
}

#[test]
fn the_dialect_of_the_guide_is_written_checked_and_switched_on_as_it_says() {
    assert_holds("the_dialect_of_the_guide_is_written_checked_and_switched_on_as_it_says", "dialects.md", 10);
}

#[test]
fn personal_data_is_shown_and_deleted_as_the_guide_says() {
    assert_holds("personal_data_is_shown_and_deleted_as_the_guide_says", "personal-data.md", 4);
}
