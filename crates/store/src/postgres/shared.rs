//! What nodes share besides rows: notifications, leases, the fingerprint of the master key, and counted requests.

use std::sync::Arc;
use std::time::Duration;

use protocol::secret::Digest;
use protocol::time::UnixTime;

use super::error::PostgresError;
use super::lane::LaneWork;
use super::link::{Connector, Link, Purpose, typed};
use super::row;
use crate::Window;

/// The statement that notifies other nodes of changed sealing keys.
pub(super) const NOTIFY: &str = "NOTIFY grantry";

/// The purpose of the connection that receives the notifications.
static LISTENING: Purpose = Purpose { statements: &[], settings: "LISTEN grantry" };

/// Time between two checks of the connection.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Number of checks after which the server is asked, because a connection can break without notice.
const ASK_EVERY: u32 = 20;
/// Time limit for the server's answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Listens for notifications until it is dropped. Each new connection counts as a notification, because some may have
/// been missed.
pub(super) async fn listen(connector: Arc<Connector>) {
    loop {
        if let Ok(link) = connector.connect(LISTENING).await {
            connector.tell();
            stay(&link).await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until the connection breaks.
async fn stay(link: &Link) {
    for look in 1_u32.. {
        tokio::time::sleep(LOOK_EVERY).await;
        if link.is_closed() {
            return;
        }
        if look.is_multiple_of(ASK_EVERY)
            && !matches!(tokio::time::timeout(ANSWER_MAX, link.simple("SELECT 1")).await, Ok(Ok(())))
        {
            return;
        }
    }
}

/// Takes or renews a lease.
pub(super) struct Lease<'l> {
    pub(super) work: &'l str,
    pub(super) holder: i64,
    pub(super) for_s: u32,
}

impl LaneWork for Lease<'_> {
    type Done = bool;

    async fn run(&mut self, link: &Link) -> Result<bool, PostgresError> {
        // Leases use the clock of the database, which is the same for all nodes.
        const SQL: &str = "INSERT INTO leases AS l (name, holder, until) \
            VALUES ($1, $2, clock_timestamp() + $3 * interval '1 second') \
            ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until \
            WHERE l.holder = excluded.holder OR l.until <= clock_timestamp()";
        let values = typed![TEXT self.work, INT8 self.holder, FLOAT8 f64::from(self.for_s)];
        Ok(link.run(SQL, values).await? == 1)
    }
}

/// Finds out whether a lease was ever taken.
pub(super) struct WasLeased<'l> {
    pub(super) work: &'l str,
}

impl LaneWork for WasLeased<'_> {
    type Done = bool;

    async fn run(&mut self, link: &Link) -> Result<bool, PostgresError> {
        Ok(!link.rows("SELECT 1 FROM leases WHERE name = $1", typed![TEXT self.work]).await?.is_empty())
    }
}

/// Reads the fingerprint of the master key.
pub(super) struct MasterFingerprint;

impl LaneWork for MasterFingerprint {
    type Done = Option<Digest>;

    async fn run(&mut self, link: &Link) -> Result<Option<Digest>, PostgresError> {
        let rows = link.rows("SELECT value FROM installation WHERE name = 'master'", &[]).await?;
        rows.first().map(|own| row::digest(own, 0)).transpose()
    }
}

/// Notes the fingerprint of the master key, unless another node was faster.
pub(super) struct NoteMasterFingerprint {
    pub(super) own: Digest,
}

impl LaneWork for NoteMasterFingerprint {
    type Done = Digest;

    async fn run(&mut self, link: &Link) -> Result<Digest, PostgresError> {
        const SQL: &str = "INSERT INTO installation (name, value) VALUES ('master', $1) ON CONFLICT (name) DO NOTHING";
        link.run(SQL, typed![BYTEA self.own.0.as_slice()]).await?;
        Ok(MasterFingerprint.run(link).await?.unwrap_or(self.own))
    }
}

/// Replaces the noted fingerprint of the master key.
pub(super) struct ReplaceMasterFingerprint {
    pub(super) old: Digest,
    pub(super) new: Digest,
}

impl LaneWork for ReplaceMasterFingerprint {
    type Done = bool;

    async fn run(&mut self, link: &Link) -> Result<bool, PostgresError> {
        const SQL: &str = "UPDATE installation SET value = $2 WHERE name = 'master' AND value = $1";
        Ok(link.run(SQL, typed![BYTEA self.old.0.as_slice(), BYTEA self.new.0.as_slice()]).await? == 1)
    }
}

/// Adds the requests that a node counted to the shared counts.
pub(super) struct Tally<'t> {
    pub(super) now: UnixTime,
    pub(super) counted: &'t [Window],
}

impl LaneWork for Tally<'_> {
    type Done = Vec<Window>;

    async fn run(&mut self, link: &Link) -> Result<Vec<Window>, PostgresError> {
        const SQL: &str = "INSERT INTO windows AS w (key, began_at, used, until) \
            SELECT * FROM unnest($1, $2, $3, $4) AS t (key, began_at, used, until) ORDER BY key \
            ON CONFLICT (key) DO UPDATE SET used = CASE WHEN w.until > $5 THEN w.used ELSE 0 END + excluded.used, \
            began_at = CASE WHEN w.until > $5 THEN w.began_at ELSE excluded.began_at END, \
            until = CASE WHEN w.until > $5 THEN w.until ELSE excluded.until END \
            RETURNING key, began_at, used, until";
        let keys: Vec<&[u8]> = self.counted.iter().map(|window| window.key.0.as_slice()).collect();
        let began_at: Vec<i64> = self.counted.iter().map(|window| window.began_at.0).collect();
        let used: Vec<i64> = self.counted.iter().map(|window| i64::from(window.used)).collect();
        let until: Vec<i64> = self.counted.iter().map(|window| window.until.0).collect();
        let values = typed![
            BYTEA_ARRAY keys, INT8_ARRAY began_at, INT8_ARRAY used, INT8_ARRAY until, INT8 self.now.0
        ];
        let read = |row: &tokio_postgres::Row| {
            Ok(Window {
                key: row::digest(row, 0)?,
                began_at: UnixTime(row::get(row, 1)?),
                used: u32::try_from(row::get::<i64>(row, 2)?).unwrap_or(u32::MAX),
                until: UnixTime(row::get(row, 3)?),
            })
        };
        link.rows(SQL, values).await?.iter().map(read).collect()
    }
}

/// Removes windows that are over.
pub(super) struct Forget {
    pub(super) now: UnixTime,
    pub(super) rows_max: i64,
}

impl LaneWork for Forget {
    type Done = u64;

    async fn run(&mut self, link: &Link) -> Result<u64, PostgresError> {
        const SQL: &str = "DELETE FROM windows WHERE key IN (\
            SELECT key FROM windows WHERE until <= $1 ORDER BY until LIMIT $2) AND until <= $1";
        link.run(SQL, typed![INT8 self.now.0, INT8 self.rows_max]).await
    }
}
