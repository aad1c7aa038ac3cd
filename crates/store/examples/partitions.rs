//! Measures whether partitioning by time would pay on PostgreSQL: the cost of inserting access tokens, finding them and
//! removing the expired ones, in one table and in a partitioned table.
//!
//! `cargo run --release -p store --example partitions [ROWS]`. Starts its own PostgreSQL in the folder for temporary
//! files. One backend does all work, so elapsed time is cost. Inserts do not wait for the disk. The sweep is the
//! store's own, and waits for the disk after every step.
#![allow(clippy::disallowed_methods, reason = "a measurement reads its arguments")]

use std::fmt::Write as _;
use std::time::Instant;

use lab::{Cluster, Options};
use protocol::time::UnixTime;
use store::Mode;

const DATABASE: &str = "test_1";
/// Number of partitions in use at a time: one per hour, for a day.
const PARTITIONS: i64 = 24;
/// Number of rows that one statement inserts or finds, as in a busy store.
const BATCH: i64 = 50;
/// Maximum number of rows that one call of [`store::Store::sweep`] removes.
const STEP: usize = 500;
/// A time at which all tokens have expired.
const LATER: UnixTime = UnixTime(1_000_000);

/// Body of a procedure that inserts all rows; `{t}` stands for the table.
const INSERT: &str = "
    FOR at IN 0 .. total / batch - 1 LOOP
        INSERT INTO {t} (id, client_key, issued_at, expires_at, digest, scope)
            SELECT at * batch + i, 1, 0, 3600, sha256(int8send(at * batch + i)), 'profile' FROM generate_series(1, batch) i;
        COMMIT;
    END LOOP;";
/// Body of a procedure that finds tokens of the latest hour, as introspection does; `{t}` stands for the table.
const FIND: &str = "
    FOR at IN 0 .. total / batch - 1 LOOP
        ids := ARRAY(SELECT total - 1 - ((at * 7919 + i * 104729) % (total / partitions)) FROM generate_series(1, batch) i);
        PERFORM digest FROM {t} WHERE id = ANY(ids);
    END LOOP;";

/// The cost of a piece of work: elapsed milliseconds, and bytes of write-ahead log.
struct Cost {
    ms: f64,
    wal_bytes: f64,
}

fn number(cluster: &Cluster, sql: &str) -> f64 {
    cluster.sql(DATABASE, sql).trim().parse().expect("a number")
}

/// Runs `work` and returns its cost.
async fn cost(cluster: &Cluster, work: impl Future<Output = ()>) -> Cost {
    cluster.sql(DATABASE, "CHECKPOINT");
    let position = || number(cluster, "SELECT pg_current_wal_lsn() - '0/0'");
    let (wal, began) = (position(), Instant::now());
    work.await;
    Cost { ms: began.elapsed().as_secs_f64() * 1_000.0, wal_bytes: position() - wal }
}

/// Creates a procedure with the given body, and returns the statement that calls it.
fn procedure(cluster: &Cluster, name: &str, table: &str, body: &str, rows: i64) -> String {
    let body = body.replace("{t}", table);
    cluster.sql(
        DATABASE,
        &format!(
            "CREATE PROCEDURE {name}_{table}() LANGUAGE plpgsql AS $$
             DECLARE
                total BIGINT := {rows}; batch BIGINT := {BATCH}; partitions BIGINT := {PARTITIONS}; ids BIGINT[];
             BEGIN {body} END $$"
        ),
    );
    format!("CALL {name}_{table}()")
}

fn told(what: &str, cost: &Cost, rows: i64) {
    #[allow(clippy::cast_precision_loss, reason = "a count of rows")]
    let each = rows as f64;
    println!(
        "{what}: {:.2} µs and {:.0} bytes of write-ahead log a row",
        cost.ms * 1_000.0 / each,
        cost.wal_bytes / each
    );
}

#[tokio::main]
async fn main() {
    let asked = std::env::args().nth(1).and_then(|text| text.parse::<i64>().ok()).unwrap_or(2_400_000);
    // Round down to whole batches per partition.
    let of_one = (asked / PARTITIONS / BATCH).max(1) * BATCH;
    let rows = of_one * PARTITIONS;
    let settings = ["max_wal_size=8GB", "synchronous_commit=off"].map(str::to_owned).to_vec();
    let mut cluster = Cluster::start(&Options { is_synced: true, settings, ..Options::default() });
    let store = store::open(&cluster.database(), Mode::Create).await.expect("it opens");
    let mut make = "CREATE TABLE parted (LIKE access_tokens INCLUDING ALL) PARTITION BY RANGE (id);".to_owned();
    for at in 0..PARTITIONS {
        let (from, to) = (at * of_one + 1, (at + 1) * of_one + 1);
        write!(make, "CREATE TABLE part_{at} PARTITION OF parted FOR VALUES FROM ({from}) TO ({to});").expect("memory");
    }
    cluster.sql(DATABASE, &make);
    println!("{rows} rows, {PARTITIONS} partitions, {BATCH} rows a statement");
    let run = async |statement: &str| {
        cluster.sql(DATABASE, statement);
    };
    for (name, table) in [("one table", "access_tokens"), ("partitions", "parted")] {
        let insert = procedure(&cluster, "put", table, INSERT, rows);
        told(&format!("{name}: put in"), &cost(&cluster, run(&insert)).await, rows);
        run(&format!("VACUUM ANALYZE {table}")).await;
        let find = procedure(&cluster, "find", table, FIND, rows);
        told(&format!("{name}: found"), &cost(&cluster, run(&find)).await, rows);
    }
    let swept = cost(&cluster, async { while store.sweep(LATER, STEP).await.expect("it sweeps") > 0 {} });
    told("one table: removed by the sweep", &swept.await, rows);
    assert_eq!(number(&cluster, "SELECT count(*) FROM access_tokens"), 0.0, "the sweep left something");
    told("one table: its space given back by VACUUM", &cost(&cluster, run("VACUUM access_tokens")).await, rows);
    let drops: String = (0..PARTITIONS).map(|at| format!("DROP TABLE part_{at};")).collect();
    told("partitions: dropped", &cost(&cluster, run(&drops)).await, rows);
}
