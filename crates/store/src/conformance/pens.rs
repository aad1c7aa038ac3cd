//! Tests of the exclusive right to write (the pen).

use std::time::Duration;

use protocol::line::{Changes, Write};
use protocol::model::{User, UserKey};

use super::rows::{access, user};
use crate::{CommitError, Fault, PEN_MAX, Store};

fn put(user: User) -> Changes {
    Write::PutUser(Box::new(user)).into()
}

fn renamed(version: u32, name: &str) -> Changes {
    put(User { version, name: name.to_owned(), ..user(1) })
}

async fn name(store: &dyn Store) -> String {
    store.user(UserKey(1)).await.unwrap().expect("the user is there").name.clone()
}

pub(super) async fn nobody_else_writes_while_a_pen_is_held(store: &dyn Store) {
    store.commit(put(user(1))).await.unwrap();
    let mut pen = store.pen().await.unwrap();
    let mut other = Box::pin(store.commit(renamed(2, "Other")));
    assert!(tokio::time::timeout(Duration::from_millis(100), &mut other).await.is_err(), "somebody else wrote");
    assert_eq!(name(store).await, user(1).name, "rows can be read meanwhile");
    pen.commit(renamed(2, "Own")).await.unwrap();
    assert_eq!(other.await, Err(CommitError::Lost));
    assert_eq!(name(store).await, "Own");
}

pub(super) async fn a_turn_that_is_lost_keeps_its_pen(store: &dyn Store) {
    store.commit(put(user(1)).with(Write::PutAccess(Box::new(access(70, 1, 1))))).await.unwrap();
    let mut pen = store.pen().await.unwrap();
    assert_eq!(pen.commit(renamed(7, "Lost")).await, Err(CommitError::Lost));
    let behind = |id| put(User { revoked_below: id, version: 2, ..user(1) });
    assert_eq!(pen.commit(behind(70)).await, Err(CommitError::Behind(70)));
    let mut other = Box::pin(store.commit(renamed(2, "Other")));
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut other).await.is_err(), "somebody else wrote");
    pen.commit(behind(71)).await.unwrap();
    assert_eq!(other.await, Err(CommitError::Lost));
}

pub(super) async fn a_pen_that_is_dropped_writes_nothing_and_lets_others_write(store: &dyn Store) {
    store.commit(put(user(1))).await.unwrap();
    let mut pen = store.pen().await.unwrap();
    // The first change is rolled back together with the one that is lost.
    let half = renamed(2, "Half").with(renamed(9, "Lost"));
    assert_eq!(pen.commit(half).await, Err(CommitError::Lost));
    drop(pen);
    assert_eq!(name(store).await, user(1).name);
    store.commit(renamed(2, "Other")).await.unwrap();
    assert_eq!(name(store).await, "Other");
}

pub(super) async fn a_pen_writes_one_turn(store: &dyn Store) {
    store.commit(put(user(1))).await.unwrap();
    let mut pen = store.pen().await.unwrap();
    pen.commit(renamed(2, "First")).await.unwrap();
    let again = pen.commit(renamed(3, "Second")).await;
    assert!(matches!(again, Err(CommitError::Fault(Fault::Unavailable { .. }))), "{again:?}");
    store.commit(renamed(3, "Other")).await.unwrap();
    assert_eq!(name(store).await, "Other");
}

pub(super) async fn a_pen_that_is_kept_too_long_is_taken_away(store: &dyn Store) {
    store.commit(put(user(1))).await.unwrap();
    let mut pen = store.pen().await.unwrap();
    tokio::time::sleep(PEN_MAX + Duration::from_millis(300)).await;
    let late = pen.commit(renamed(2, "Late")).await;
    assert!(matches!(late, Err(CommitError::Fault(Fault::Unavailable { .. }))), "{late:?}");
    assert_eq!(name(store).await, user(1).name);
    drop(pen);
    store.commit(renamed(2, "Other")).await.unwrap();
}
