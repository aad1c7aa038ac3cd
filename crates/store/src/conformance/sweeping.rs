//! Tests of the sweep: expired rows are removed, and all others stay.

use protocol::line::{Changes, Key, Write};
use protocol::model::{Access, ClientKey, CodeId, Event, GrantId, UserKey};
use protocol::time::UnixTime;

use super::rows::*;
use crate::{EVENT_KEPT_S, EventFilter, SPENT_CODE_KEPT_S, Store, USED_JTI_KEPT_S};

pub(super) async fn live_rows_stay(store: &dyn Store) {
    furnish(store).await;
    let count = Write::CountFailure { key: digest("address"), limit: 9, now: NOW, resets_at: later(100), user: None };
    commit(store, [count]).await;
    let before = everything(store).await;
    assert_eq!(store.sweep(later(59), 1_000).await, Ok(0));
    assert_eq!(everything(store).await, before);
}

pub(super) async fn expired_rows_go(store: &dyn Store) {
    furnish(store).await;
    let count = Write::CountFailure { key: digest("address"), limit: 9, now: NOW, resets_at: later(100), user: None };
    commit(store, [count]).await;
    // Removes the code.
    assert_eq!(store.sweep(later(60), 1_000).await, Ok(1));
    assert!(facts(store, 1).await.code.is_none());
    // Removes the counter, and the session that was idle for too long.
    assert_eq!(store.sweep(later(100), 1_000).await, Ok(2));
    let found = facts(store, 1).await;
    assert!(found.session.is_none() && found.address_attempts.is_none());
    // Removes the access token.
    assert_eq!(store.sweep(later(300), 1_000).await, Ok(1));
    assert!(facts(store, 1).await.access.is_none());
    // Removes the grant.
    assert_eq!(store.sweep(later(1_000), 1_000).await, Ok(1));
    let found = facts(store, 1).await;
    assert!(found.grant.is_none() && found.personal.is_some() && found.client.is_some());
    // Removes the event.
    assert_eq!(store.sweep(later(EVENT_KEPT_S - 1), 1_000).await, Ok(0));
    assert_eq!(store.sweep(later(EVENT_KEPT_S), 1_000).await, Ok(1));
    assert!(facts(store, 1).await.personal.is_some(), "a token without an end has none");
}

pub(super) async fn events_are_kept_for_as_long_as_the_operator_wants(store: &dyn Store) {
    store.keep_events(1_000);
    commit(store, [Write::Note(event("old", None)), Write::Note(Event { at: later(1), ..event("new", None) })]).await;
    assert_eq!(store.sweep(later(999), 1_000).await, Ok(0));
    assert_eq!(store.sweep(later(1_000), 1_000).await, Ok(1));
    let left = events(store, EventFilter { rows_max: 9, ..EventFilter::default() }).await;
    assert_eq!(left.iter().map(|event| event.detail.as_str()).collect::<Vec<_>>(), ["new"]);
}

pub(super) async fn a_spent_code_outlives_its_end(store: &dyn Store) {
    furnish(store).await;
    commit(store, [Write::SpendCode(CodeId(1)), Write::PutCode(Box::new(code(2, 1, 1)))]).await;
    assert_eq!(store.sweep(later(60), 1_000).await, Ok(1));
    let is_there = async |id| code_in(&load(store, Key::Code(CodeId(id))).await, id).is_some();
    assert!(is_there(1).await && !is_there(2).await);
    let end = later(60 + SPENT_CODE_KEPT_S);
    store.sweep(end, 1_000).await.unwrap();
    assert!(!is_there(1).await);
}

pub(super) async fn a_burned_token_is_remembered_until_its_end(store: &dyn Store) {
    furnish(store).await;
    commit(store, [burn("jti", 9_000), burn("another", 50)]).await;
    // Keep the row for longer, because the clock of another node may be behind.
    let before = later(49 + USED_JTI_KEPT_S);
    let gone = async |at| {
        let mut rows = 0;
        while let Ok(removed @ 1..) = store.sweep(at, 1_000).await {
            rows += removed;
        }
        rows
    };
    let others = gone(before).await;
    assert_eq!(gone(later(50 + USED_JTI_KEPT_S)).await, 1, "{others} others went before");
    assert!(facts(store, 1).await.is_jti_used);
    gone(later(9_000 + USED_JTI_KEPT_S)).await;
    assert!(!facts(store, 1).await.is_jti_used);
}

pub(super) async fn a_long_lived_token_goes_when_its_client_user_or_grant_is_gone(store: &dyn Store) {
    furnish(store).await;
    let lasting = |row: Access| Write::PutAccess(Box::new(Access { expires_at: UnixTime::NEVER, ..row }));
    let put_grant = |id, user, client| {
        let mut row = grant(id, user, client);
        row.expires_at = UnixTime::NEVER;
        Write::PutGrant(Box::new(row))
    };
    let puts = [
        put_grant(11, 1, 1),
        put_grant(12, 1, 1),
        put_grant(14, 2, 1),
        lasting(access(11, 1, 1)),
        lasting(access(12, 1, 1)),
        lasting(own_access(13, 2)),
        lasting(access(14, 2, 1)),
        lasting(own_access(15, 1)),
    ];
    commit(store, puts).await;
    store.sweep(NOW, 1_000).await.unwrap();
    let is_there = async |id| facts(store, id).await.access.is_some();
    for id in 11..=15 {
        assert!(is_there(id).await, "token {id} is alive");
    }
    let ends = [Write::RevokeGrant(GrantId(12)), Write::DeleteClient(ClientKey(2)), Write::DeleteUser(UserKey(2))];
    commit(store, ends).await;
    assert_eq!(store.sweep(NOW, 1_000).await, Ok(3));
    for (id, stays) in [(1, true), (11, true), (12, false), (13, false), (14, false), (15, true)] {
        assert_eq!(is_there(id).await, stays, "token {id}");
    }
}

pub(super) async fn a_sweep_removes_no_more_than_it_may_and_goes_on(store: &dyn Store) {
    furnish(store).await;
    let tokens = |ids: std::ops::Range<i64>, expires_at| {
        ids.map(move |id| Write::PutAccess(Box::new(Access { expires_at, ..own_access(id, 1) }))).collect::<Changes>()
    };
    // More live and expired rows, alternating, than one step reads.
    commit(store, tokens(1_000..1_700, later(9_000))).await;
    commit(store, tokens(2_000..2_700, later(10))).await;
    commit(store, tokens(3_000..3_700, later(9_000))).await;
    commit(store, tokens(4_000..4_100, later(10))).await;
    let mut removed = Vec::new();
    loop {
        let count = store.sweep(later(10), 300).await.unwrap();
        removed.push(count);
        if count == 0 {
            break;
        }
    }
    assert_eq!(removed.iter().sum::<usize>(), 800);
    assert!(removed.iter().all(|count| *count <= 300), "{removed:?}");
    let left = store.counts().await.unwrap().rows;
    assert!(left.contains(&("access_tokens", 1_401)), "{left:?}");
    assert_eq!(store.sweep(later(9_000), 0).await, Ok(0));
}
