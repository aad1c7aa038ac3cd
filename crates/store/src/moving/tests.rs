//! Tests of copies from every persistent store to every other one.

use protocol::line::{Changes, Key, Wants, Write};
use protocol::model::{AccessId, CodeId, GrantId, SessionId, TicketId, User, UserKey};
use tokio::sync::Notify;

use super::*;
use crate::conformance::{Fixture, postgres, rows::*, sqlite};
use crate::{Memory, Mode, Sqlite};

async fn filled() -> Fixture {
    let source = sqlite();
    fill(&*source.store).await;
    source
}

async fn fill(store: &dyn Store) {
    furnish(store).await;
    // More rows than a stretch has, so that there are several stretches.
    let many: Vec<Write> = (100..2_350).map(|id| Write::PutAccess(Box::new(own_access(id, 1)))).collect();
    commit(store, many).await;
    let failure =
        Write::CountFailure { key: digest("door"), limit: 9, now: NOW, resets_at: later(100), user: Some(UserKey(1)) };
    let used = Write::BurnJti { jti: digest("jti"), until: later(100) };
    let umlaut = User { name: "Ä\u{1F600}'\"\\".to_owned(), ..user(3) };
    let tickets = [1, 2].map(|id| Write::PutTicket(Box::new(ticket(id, 1, 1))));
    commit(store, tickets).await;
    let spent = Write::SpendTicket { id: TicketId(1), version: 1 };
    commit(store, [failure, used, Write::PutUser(Box::new(umlaut)), spent]).await;
}

async fn moved(source: &Fixture, destination: &Fixture) -> (Vec<Moved>, u64) {
    let mut written = std::collections::BTreeMap::new();
    let tell = |progress: Progress| {
        written.insert(progress.table, progress.written);
    };
    let moved = move_all(&*source.store, &*destination.store, tell).await.expect("it moves");
    (moved, written.values().sum())
}

#[tokio::test]
async fn everything_moves_from_sqlite_to_postgres_and_back() {
    let (there, here, back) = (filled().await, postgres().await, sqlite());
    let (first, _) = moved(&there, &here).await;
    let (second, _) = moved(&here, &back).await;
    assert_eq!(first, second);
    assert_eq!(first.iter().find(|own| own.table == "access_tokens").map(|own| own.rows), Some(2_251));
    for own in [&here, &back] {
        assert_eq!(everything(&*own.store).await, everything(&*there.store).await);
        // Ids that the database gives continue after the copied ones.
        commit(&*own.store, [Write::Note(event("after", None)), Write::PutSealKey(seal_key(9))]).await;
    }
}

#[tokio::test]
async fn a_second_run_copies_what_changed_and_takes_along_what_is_gone() {
    let (there, here) = (filled().await, postgres().await);
    moved(&there, &here).await;
    let (_, written) = moved(&there, &here).await;
    assert_eq!(written, 0, "nothing changed");
    let changes = [
        Write::RevokeAccess(AccessId(150)),
        Write::RevokeGrant(GrantId(1)),
        Write::EndSession(SessionId(1)),
        Write::PutAccess(Box::new(own_access(9_000, 1))),
    ];
    commit(&*there.store, changes).await;
    let (_, written) = moved(&there, &here).await;
    assert!((1..=2_300).contains(&written), "{written}");
    assert_eq!(everything(&*here.store).await, everything(&*there.store).await);
    assert!(facts(&*here.store, 150).await.access.is_none(), "a revoked token came back");
}

#[tokio::test]
async fn a_move_that_broke_off_goes_on_and_writes_nothing_twice() {
    let (there, here) = (filled().await, postgres().await);
    let (mut known, reached) = (std::collections::BTreeMap::new(), Notify::new());
    let tell = |progress: Progress| {
        known.insert(progress.table, progress.rows);
        // Stop in the middle of the tokens.
        if progress.table == "access_tokens" {
            reached.notify_one();
        }
    };
    let broke_off = tokio::select! {
        biased;
        () = reached.notified() => true,
        _ = move_all(&*there.store, &*here.store, tell) => false,
    };
    assert!(broke_off);
    let known: u64 = known.values().sum();
    let (all, written) = moved(&there, &here).await;
    let rows: u64 = all.iter().map(|table| table.rows).sum();
    assert!(known > 1_000 && rows - known > 1_000, "it broke off elsewhere: {known} of {rows}");
    assert_eq!(written, rows - known);
    assert_eq!(everything(&*here.store).await, everything(&*there.store).await);
}

#[tokio::test]
async fn a_source_that_changes_meanwhile_is_noticed_and_a_second_run_ends_it() {
    for here in [postgres().await, sqlite()] {
        let there = filled().await;
        let file = there.folder.as_ref().expect("it is a file").path().join("test.db");
        // Another process removes a token after all tokens were copied.
        let other = rusqlite::Connection::open(file).unwrap();
        let tell = |progress: Progress| {
            if progress.table == "burned" {
                assert_eq!(other.execute("DELETE FROM access_tokens WHERE id = 150", []), Ok(1));
            }
        };
        let differs = move_all(&*there.store, &*here.store, tell).await.unwrap_err();
        assert_eq!(differs, MoveError::Differs { table: "access_tokens", there: 2_250, here: 2_251 });
        moved(&there, &here).await;
        assert!(facts(&*here.store, 150).await.access.is_none(), "a token that is gone came along");
    }
}

/// More users than a stretch has, so that the user who gives up a name is far behind the one who takes it.
#[tokio::test]
async fn a_name_that_was_passed_on_between_two_runs_moves_too() {
    for here in [postgres().await, sqlite()] {
        let there = filled().await;
        let crowd: Vec<Write> = (10..1_200).map(|key| Write::PutUser(Box::new(user(key)))).collect();
        commit(&*there.store, crowd).await;
        moved(&there, &here).await;
        let (early, late) = (user(10), user(1_190));
        let left = User { username: None, email: Some("new@example.com".to_owned()), version: 2, ..late.clone() };
        let heir = User { username: late.username, email: late.email, version: 2, ..early.clone() };
        commit(&*there.store, [Write::PutUser(Box::new(left))]).await;
        commit(&*there.store, [Write::PutUser(Box::new(heir))]).await;
        moved(&there, &here).await;
        let found = here.store.user_by_name("user1190").await.unwrap().expect("somebody has the name");
        assert_eq!(found.key, UserKey(10));
        let found = here.store.user_by_name("new@example.com").await.unwrap().expect("the user is there");
        assert_eq!((found.key, &found.username), (UserKey(1_190), &None));
    }
}

#[tokio::test]
async fn a_store_in_memory_does_not_move() {
    let refused = move_all(&Memory::default(), &Memory::default(), |_| {}).await.unwrap_err();
    assert!(matches!(refused, MoveError::Source(Fault::Unsupported(_))), "{refused}");
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "a backup is a file")]
async fn a_backup_of_postgres_is_of_one_moment_and_overwrites_nothing() {
    let source = postgres().await;
    fill(&*source.store).await;
    let folder = tempfile::tempdir().unwrap();
    let (quiet, file) = (folder.path().join("quiet.db"), folder.path().join("backup.db"));
    source.store.backup(&quiet).await.expect("a backup can be made");
    let copy = Sqlite::open(&quiet, Mode::Existing).unwrap();
    assert_eq!(everything(&copy).await, everything(&*source.store).await);
    // Enough rows to leave time between the codes, which are copied first, and the last row.
    for first in (10_000..40_000).step_by(5_000) {
        let many = (first..first + 5_000).map(|id| Write::PutAccess(Box::new(own_access(id, 1)))).collect::<Changes>();
        commit(&*source.store, many).await;
    }
    // Turns are committed during the copy. Each must be in the copy completely or not at all.
    let mut last = 50_000;
    let turns = async {
        loop {
            last += 1;
            let pair = [Write::PutCode(Box::new(code(last, 1, 1))), Write::PutAccess(Box::new(own_access(last, 1)))];
            commit(&*source.store, pair).await;
        }
    };
    let made = tokio::select! {
        made = source.store.backup(&file) => made,
        () = turns => unreachable!("it goes on for ever"),
    };
    made.expect("a backup can be made");
    assert!(last > 50_003, "nothing went on meanwhile: {last}");
    assert!(source.store.backup(&file).await.is_err(), "it was overwritten");
    let copy = Sqlite::open(&file, Mode::Existing).unwrap();
    for id in 50_001..=last {
        let found = copy.load(Wants::of([Key::Code(CodeId(id)), Key::Access(AccessId(id))])).await.unwrap();
        let (code, access) = (code_in(&found, id), access_in(&found, id));
        assert_eq!(code.is_some(), access.is_some(), "half a turn is in the backup: {id} of {last}");
    }
}

/// A table or column that is missing in the table list would be lost in a move without notice, because it is not
/// compared either.
#[tokio::test]
async fn every_column_of_every_table_moves() {
    let names = |tables: &mut Vec<&str>| {
        tables.sort_unstable();
        tables.join(" ")
    };
    let mut moving: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    // The facts about the installation are not shown as rows.
    let counted = crate::TABLES.iter().copied();
    assert_eq!(names(&mut moving), names(&mut counted.chain(["installation"]).collect()));

    let fixture = sqlite();
    let file = fixture.folder.as_ref().expect("it is a file").path().join("test.db");
    let connection = rusqlite::Connection::open(file).unwrap();
    let mut cluster = lab::Cluster::start(&lab::Options::default());
    let postgres = crate::Postgres::open(&cluster.database(), Mode::Create).await.unwrap();
    for table in TABLES {
        let sql = format!("SELECT name FROM pragma_table_info('{}') ORDER BY name", table.name);
        let mut statement = connection.prepare(&sql).unwrap();
        let there: Vec<String> =
            statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap();
        let mut own: Vec<&str> = table.columns.iter().map(|column| column.sqlite).collect();
        assert_eq!(there.join(" "), names(&mut own), "{} on SQLite", table.name);
        let there = cluster.sql(
            "test_1",
            &format!(
                "SELECT string_agg(column_name, ' ' ORDER BY column_name COLLATE \"C\") FROM information_schema.columns \
                 WHERE table_name = '{}'",
                table.name
            ),
        );
        let mut own: Vec<&str> = table.columns.iter().map(|column| column.postgres).collect();
        assert_eq!(there, names(&mut own), "{} on PostgreSQL", table.name);
        let unique = cluster.sql(
            "test_1",
            &format!(
                "SELECT string_agg(attname, ' ' ORDER BY attname COLLATE \"C\") FROM pg_index JOIN pg_attribute \
                 ON attrelid = indrelid AND attnum = ANY(indkey) \
                 WHERE indrelid = '{}'::regclass AND indisunique AND NOT indisprimary",
                table.name
            ),
        );
        let mut own: Vec<&str> = table.unique.iter().map(|at| table.columns[*at].postgres).collect();
        assert_eq!(unique, names(&mut own), "what is unique in {}", table.name);
    }
    drop(postgres);
}
