//! A database connection, and how it is replaced when it breaks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Connection, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::PostgresError;
use super::url::Address;

/// Time limit for a host to identify itself and to confirm that it accepts writes. Short enough to try another host
/// while callers still wait.
const HOST_MAX: Duration = Duration::from_secs(4);
const LAST_HOST_MAX: Duration = Duration::from_secs(15);
/// Time limit for setting up a connection, including the preparation of its statements.
const SET_UP_MAX: Duration = Duration::from_secs(10);
/// Minimum and maximum pause between attempts to connect.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// Time limit for closing a dropped connection in order.
const GOODBYE_MAX: Duration = Duration::from_secs(1);
/// Time limit for the server to cancel a statement.
const CANCEL_MAX: Duration = Duration::from_secs(5);

/// Maximum age of prepared plans. A plan suits the tables at the time when it was made: it may scan a small table,
/// which soon is not small any more.
pub(super) const PLANS_MAX: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 5 });

/// The pause before the next attempt. It grows with each attempt.
pub(super) struct Pause(Duration);

impl Pause {
    pub(super) const fn first() -> Self {
        Self(PAUSE_MIN)
    }

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(PAUSE_MAX);
    }
}

/// A prepared statement and the types of its parameters.
pub(super) struct Sql {
    pub(super) text: &'static str,
    pub(super) types: &'static [Type],
}

/// A parameter value with its type.
pub(super) type Typed<'a> = (&'a (dyn ToSql + Sync), Type);

/// Parameter values of a statement whose types are known.
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Builds typed parameters for statements that are not kept prepared.
macro_rules! typed {
    ($($type:ident $value:expr),* $(,)?) => {
        &[$((&$value as &(dyn tokio_postgres::types::ToSql + Sync), tokio_postgres::types::Type::$type)),*]
    };
}
pub(super) use typed;

/// The purpose of a connection, which determines how it is set up.
#[derive(Clone, Copy)]
pub(super) struct Purpose {
    /// The statements that the connection keeps prepared.
    pub(super) statements: &'static [&'static [&'static Sql]],
    /// The settings of the session.
    pub(super) settings: &'static str,
}

/// Opens connections.
pub(super) struct Connector {
    address: Address,
    tls: MakeRustlsConnect,
    /// Counts the notifications that this process received.
    news: watch::Sender<u64>,
}

/// A connection.
pub(super) struct Link {
    client: Client,
    /// The prepared statements. `None` behind a pooler, where the next transaction may use another server connection.
    prepared: Option<HashMap<&'static str, Statement>>,
    /// Time at which the oldest plan was made.
    planned_at: Instant,
    settings: &'static str,
    /// Dropping this tells the connection's task that nobody waits for answers any more.
    _held: oneshot::Sender<()>,
}

/// The error of the last attempt to connect.
pub(super) type LastWord = Arc<Mutex<String>>;

impl Connector {
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn new(address: Address) -> Result<Arc<Self>, String> {
        let tls = super::tls::connector(address.trust.as_ref())?;
        Ok(Arc::new(Self { address, tls, news: watch::Sender::new(0) }))
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Counts a notification.
    pub(super) fn tell(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    /// Returns a counter of received notifications.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Opens a connection for `purpose`.
    pub(super) async fn connect(&self, purpose: Purpose) -> Result<Link, PostgresError> {
        let mut stop = PostgresError::Late("connecting");
        for (at, host) in self.address.hosts.iter().enumerate() {
            let max = if at + 1 < self.address.hosts.len() { HOST_MAX } else { LAST_HOST_MAX };
            match tokio::time::timeout(max, host.connect(self.tls.clone())).await {
                Ok(Ok((client, connection))) => {
                    let set_up = tokio::time::timeout(SET_UP_MAX, self.set_up(client, connection, purpose));
                    return set_up.await.map_err(|_| PostgresError::Late("connecting"))?;
                }
                Ok(Err(error)) => stop = error.into(),
                Err(_) => stop = PostgresError::Late("connecting"),
            }
        }
        Err(stop)
    }

    /// Opens a connection for `purpose`, with as many attempts as necessary. `last_word` receives the error of each
    /// attempt.
    ///
    /// # Errors
    /// Only if another attempt cannot succeed.
    pub(super) async fn keep_connecting(
        self: Arc<Self>,
        purpose: Purpose,
        last_word: LastWord,
    ) -> Result<Link, PostgresError> {
        let mut pause = Pause::first();
        loop {
            let stop = match self.connect(purpose).await {
                Err(stop) if stop.may_go_better() => stop,
                done => return done,
            };
            *last_word.lock().unwrap_or_else(PoisonError::into_inner) = stop.told();
            pause.wait().await;
        }
    }

    async fn set_up<S, T>(
        &self,
        client: Client,
        mut connection: Connection<S, T>,
        purpose: Purpose,
    ) -> Result<Link, PostgresError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let news = self.news.clone();
        let talk = async move {
            loop {
                match std::future::poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(_))) => news.send_modify(|count| *count += 1),
                    Some(Ok(_)) => {}
                    // The library reports the loss to the callers that await an answer.
                    Some(Err(_)) | None => break,
                }
            }
        };
        let (held, dropped) = oneshot::channel::<()>();
        let (cancel, tls) = (client.cancel_token(), self.tls.clone());
        tokio::spawn(async move {
            tokio::pin!(talk);
            tokio::select! {
                () = &mut talk => return,
                _ = dropped => {}
            }
            if tokio::time::timeout(GOODBYE_MAX, &mut talk).await.is_err() {
                // The connection was dropped while a statement was running, such as a wait for a standby that is gone.
                // Without a cancellation the server would keep a process for it, and one more for every further
                // attempt.
                let _ = tokio::time::timeout(CANCEL_MAX, cancel.cancel_query(tls)).await;
                let _ = tokio::time::timeout(GOODBYE_MAX, talk).await;
            }
        });
        let Purpose { statements, settings } = purpose;
        let statements: Vec<&'static Sql> = statements.concat();
        let mut prepared = None;
        if !self.address.is_pooled {
            client.batch_execute(settings).await?;
            let mut kept = HashMap::new();
            for sql in statements {
                kept.insert(sql.text, client.prepare_typed(sql.text, sql.types).await?);
            }
            prepared = Some(kept);
        }
        Ok(Link { client, prepared, planned_at: Instant::now(), settings, _held: held })
    }
}

impl Link {
    /// Returns true if the connection is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Returns true if a pooler is in between, so that the next transaction may use another server connection.
    pub(super) fn is_pooled(&self) -> bool {
        self.prepared.is_none()
    }

    /// Discards plans that are too old. Must not be called within a transaction.
    pub(super) async fn plan_anew(&mut self) -> Result<(), PostgresError> {
        if self.prepared.as_ref().is_none_or(HashMap::is_empty) || self.planned_at.elapsed() < PLANS_MAX {
            return Ok(());
        }
        self.planned_at = Instant::now();
        self.simple("DISCARD PLANS").await
    }

    /// Runs a prepared statement and returns its rows.
    pub(super) async fn query(&self, sql: &'static Sql, values: Values<'_>) -> Result<Vec<Row>, PostgresError> {
        match self.kept(sql) {
            Some(statement) => Ok(self.client.query(statement, values).await?),
            None => Ok(self.client.query_typed(sql.text, &with_types(sql, values)).await?),
        }
    }

    /// Runs a prepared statement and returns the number of rows that it found or changed.
    pub(super) async fn execute(&self, sql: &'static Sql, values: Values<'_>) -> Result<u64, PostgresError> {
        match self.kept(sql) {
            Some(statement) => Ok(self.client.execute(statement, values).await?),
            None => Ok(self.client.execute_typed(sql.text, &with_types(sql, values)).await?),
        }
    }

    /// Runs any statement and returns its rows.
    pub(super) async fn rows(&self, sql: &str, values: &[Typed<'_>]) -> Result<Vec<Row>, PostgresError> {
        Ok(self.client.query_typed(sql, values).await?)
    }

    /// Runs any statement and returns the number of rows that it found or changed.
    pub(super) async fn run(&self, sql: &str, values: &[Typed<'_>]) -> Result<u64, PostgresError> {
        Ok(self.client.execute_typed(sql, values).await?)
    }

    /// Runs statements without values.
    pub(super) async fn simple(&self, sql: &str) -> Result<(), PostgresError> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Begins a transaction. Behind a pooler the settings are sent along, because the server connection may be a new
    /// one.
    pub(super) async fn begin(&self, begin: &'static str) -> Result<(), PostgresError> {
        if !self.is_pooled() {
            return self.simple(begin).await;
        }
        let settings = self.settings.replace("SET ", "SET LOCAL ").replace(", false)", ", true)");
        self.simple(&format!("{begin}; {settings}")).await
    }

    fn kept(&self, sql: &'static Sql) -> Option<&Statement> {
        self.prepared.as_ref().and_then(|kept| kept.get(sql.text))
    }
}

fn with_types<'a>(sql: &'static Sql, values: &[&'a (dyn ToSql + Sync)]) -> Vec<Typed<'a>> {
    values.iter().copied().zip(sql.types.iter().cloned()).collect()
}
