//! Tests of accounts whose names older versions stored without normalisation. They keep working in every store that
//! keeps its rows.

use protocol::line::Write;
use protocol::model::User;

use super::rows::*;
use crate::{CommitError, Store};

/// For each user: key, name as older versions stored it, and name.
pub(crate) const STORED: [(i64, &str, &str); 3] =
    [(3, "jos\u{e9}", "Jos\u{e9}"), (4, "jose\u{301}", "Jose\u{301}"), (5, "zoe\u{308}", "Zoe\u{308}")];

pub(crate) fn named(key: i64, username: &str) -> User {
    User { username: Some(username.to_owned()), email: None, ..user(key) }
}

/// Tests that two accounts whose names look the same keep them, even when their rows are written again, and that no
/// other account gets such a name.
pub(crate) async fn go_on_working(store: &dyn Store) {
    each_finds_its_own(store).await;
    for (key, _, name) in STORED {
        let changed = User { name: "Changed".to_owned(), version: 2, ..named(key, name) };
        commit(store, [Write::PutUser(Box::new(changed))]).await;
    }
    each_finds_its_own(store).await;
    for name in ["ZO\u{cb}", "zoe\u{308}", "JOS\u{c9}"] {
        let thief = Write::PutUser(Box::new(named(6, name)));
        assert_eq!(store.commit(thief.into()).await, Err(CommitError::Taken("username")), "{name}");
    }
}

async fn each_finds_its_own(store: &dyn Store) {
    for (typed, key) in [("Jos\u{e9}", 3), ("JOSE\u{301}", 4), ("zo\u{eb}", 5), ("Zoe\u{308}", 5)] {
        let found = login(store, typed).await;
        assert_eq!(found.map(|user| user.key.0), Some(key), "{typed}");
        let found = store.user_by_name(typed).await.expect("the store can be read");
        assert_eq!(found.map(|user| user.key.0), Some(key), "{typed}");
    }
}
