//! Tests under growing tables and busy clients.

use super::*;

/// A look-up that scans a table would only be slow in production, with many rows.
#[tokio::test]
async fn no_statement_by_key_walks_through_a_table() {
    let mut cluster = Cluster::start(&Options::default());
    let store = open(&cluster.database()).await;
    furnish(&store).await;
    let statements =
        [crate::postgres::load::STATEMENTS, crate::postgres::pins::STATEMENTS, crate::postgres::batch::STATEMENTS]
            .concat();
    for sql in statements {
        let types: Vec<&str> = sql
            .types
            .iter()
            .map(|own| match own.name() {
                "int8" => "bigint",
                "_int8" => "bigint[]",
                "_bool" => "boolean[]",
                "_text" => "text[]",
                "_bytea" => "bytea[]",
                other => panic!("{other}: {}", sql.text),
            })
            .collect();
        // PostgreSQL accepts no empty list.
        let list = |words: &[&str]| if words.is_empty() { String::new() } else { format!("({})", words.join(", ")) };
        let (types, nulls) = (list(&types), list(&vec!["NULL"; types.len()]));
        let plan = cluster.sql(
            "test_1",
            &format!(
                "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
                 SET plan_cache_mode = force_generic_plan; PREPARE own {types} AS {}; EXPLAIN EXECUTE own {nulls}",
                sql.text
            ),
        );
        assert!(!plan.contains("Seq Scan"), "{}\n{plan}", sql.text);
    }
    assert!(store.load(Wants::default()).await.is_ok());
}

#[tokio::test]
async fn what_a_table_takes_beyond_its_live_rows_is_told_before_a_vacuum_and_after() {
    let mut cluster = Cluster::start(&Options::default());
    let store = open(&cluster.database()).await;
    furnish(&store).await;
    cluster.sql(
        "test_1",
        "INSERT INTO access_tokens (id, digest, client_key, issued_at, expires_at, scope) \
         SELECT id, decode(repeat('00', 32), 'hex'), 1, 0, 4000000000, 'profile email' \
         FROM generate_series(100000, 149999) AS t (id)",
    );
    let free_of = async || {
        cluster.sql("test_1", "ANALYZE");
        let counts = (&store as &dyn Store).counts().await.unwrap();
        let size: u64 = cluster.sql("test_1", "SELECT pg_relation_size('access_tokens')").parse().unwrap();
        (counts.free_bytes.unwrap(), size)
    };
    let (free, size) = free_of().await;
    assert!(free < size / 5, "{free} of {size} are free although all rows are live");
    cluster.sql("test_1", "DELETE FROM access_tokens WHERE id > 100000 AND id < 149000");
    let (free, size) = free_of().await;
    assert!(free > size * 3 / 4, "{free} of {size} are free before the vacuum");
    cluster.sql("test_1", "VACUUM access_tokens");
    let (free, size) = free_of().await;
    assert!(free > size * 3 / 4, "{free} of {size} are free after the vacuum");
}

/// For a small table, PostgreSQL's statistics say that a full scan is as fast as an index.
#[tokio::test]
async fn a_plan_for_a_small_table_is_not_kept_when_the_table_grows() {
    let mut cluster = Cluster::start(&Options::default());
    let store = open(&cluster.database()).await;
    furnish(&store).await;
    cluster.sql("test_1", "VACUUM ANALYZE");
    let mut last = 2_000;
    let mut rely = async || {
        last += 1;
        let consent =
            Rely::Consent { user: UserKey(1), client: protocol::model::ClientKey(1), id: Some(consent(1, 1).id) };
        commit(&store, Changes::new([consent], [Write::PutCode(Box::new(code(last, 1, 1)))])).await;
    };
    rely().await;
    cluster.sql(
        "test_1",
        "INSERT INTO consents (id, user_key, client_key, scope, given_at, renewed_at) \
         SELECT 5000 + i, 5000 + i, 1, '', 0, 0 FROM generate_series(1, 5000) AS i",
    );
    tokio::time::sleep(crate::postgres::link::PLANS_MAX).await;
    let used = || {
        let sql = "SELECT sum(idx_scan), sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'consents'";
        let said = cluster.sql("test_1", sql);
        let (scans, rows) = said.split_once('|').expect("two columns");
        (scans.parse::<u64>().unwrap(), rows.parse::<u64>().unwrap())
    };
    // A session tells its numbers once a second; and the first time, those of its time with the plan before.
    rely().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    rely().await;
    let before = used();
    let begun = Instant::now();
    while used().0 < before.0 + 5 {
        assert!(begun.elapsed() < Duration::from_secs(20), "no number comes: {:?}", used());
        rely().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let after = used();
    assert!(after.1 - before.1 <= 2 * (after.0 - before.0), "rows read: from {before:?} to {after:?}");
}

/// PostgreSQL grants shared row locks even while a transaction waits for the exclusive lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_client_cannot_hold_off_its_own_revocation() {
    let url = lab::database();
    let store = open(&url).await;
    furnish(&store).await;
    let (connector, _) = crate::postgres::reach(&url).await.expect("it is there");
    let busy: Vec<_> = (0..16)
        .map(|_| {
            let connector = std::sync::Arc::clone(&connector);
            tokio::spawn(async move {
                let link = connector.connect(crate::postgres::WRITING).await.expect("it is there");
                loop {
                    // This stands for a batch whose commit waits for a distant standby.
                    let _ = link.begin("BEGIN").await;
                    let _ = crate::postgres::gate::enter(&link).await;
                    let _ = link.rows("SELECT 1 FROM clients WHERE key = 1 FOR SHARE", &[]).await;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let _ = link.simple("COMMIT").await;
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    for version in 2..5 {
        let row = Client { is_disabled: version % 2 == 0, version, ..client(1) };
        let done = tokio::time::timeout(Duration::from_secs(5), store.commit([Write::PutClient(Box::new(row))].into()));
        assert_eq!(done.await.expect("it is not held off"), Ok(()));
    }
    busy.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn whoever_goes_away_in_the_middle_of_a_list_leaves_no_old_view_behind() {
    let store = open(&lab::database()).await;
    furnish(&store).await;
    for round in 0..60_u32 {
        let view: &dyn Store = &store;
        // Each round is interrupted at another point.
        let _ = tokio::time::timeout(Duration::from_micros(u64::from(round) * 60), view.counts()).await;
        let row = User { version: 2 + round, name: format!("Round {round}"), ..user(1) };
        commit(&store, [Write::PutUser(Box::new(row))]).await;
        for _ in 0..crate::postgres::DESKS {
            let seen = view.user(UserKey(1)).await.unwrap().expect("it is there");
            assert_eq!(seen.version, 2 + round, "an old view");
        }
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_the_trouble_of_those_who_want_it() {
    let mut cluster = Cluster::start(&Options::default());
    let store = open(&cluster.database()).await;
    furnish(&store).await;
    commit(&store, [Write::PutSession(Box::new(session(2, 2)))]).await;
    cluster.sql("test_1", "UPDATE sessions SET amr = '[\"of a later version\"]' WHERE id = 2");
    let bad = || Wants::of([Key::Session(protocol::model::SessionId(2))]);
    let all = (0..20).map(|at| store.load(if at == 7 { bad() } else { wants(1) }));
    let found = futures_util::future::join_all(all).await;
    for (at, found) in found.iter().enumerate() {
        assert_eq!(found.is_err(), at == 7, "{at}: {found:?}");
    }
}

/// Two nodes record the use of the same sessions at the same time, as for two users with two tabs each.
#[tokio::test]
async fn those_who_use_the_same_things_in_different_orders_do_not_wait_for_each_other() {
    let url = lab::database();
    let (one, other) = (open(&url).await, open(&url).await);
    furnish(&one).await;
    commit(&one, [Write::PutSession(Box::new(session(2, 1))), Write::PutGrant(Box::new(grant(2, 1, 1)))]).await;
    let begun = tokio::time::Instant::now();
    for round in 0..30_u64 {
        let touch = |id| {
            let id = protocol::model::SessionId(id);
            let touch = Write::TouchSession { id, seen_at: later(round), idle_until: later(500) };
            Changes::new([Rely::Session(id)], [touch])
        };
        let (first, second) = (touch(1).with(touch(2)), touch(2).with(touch(1)));
        let (a, b) = tokio::join!(one.commit(first), other.commit(second));
        assert_eq!((a, b), (Ok(()), Ok(())));
    }
    // PostgreSQL needs a second to detect a deadlock.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}
