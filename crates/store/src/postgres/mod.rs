//! The store in a PostgreSQL database, which any number of processes and machines may share. It uses a few long-lived
//! connections, each with a lane that sends the waiting requests together.
//!
//! Writes run under READ COMMITTED with explicit locks (see `apply.rs`). Under SERIALIZABLE, a conflict of one turn
//! would make the whole batch fail.

mod apply;
mod background;
mod batch;
#[cfg(test)]
mod batched;
mod commit;
mod error;
mod gate;
mod insert;
mod jobs;
mod keys;
mod lane;
mod link;
mod list;
mod load;
mod moving;
mod pen;
mod pins;
mod queue;
mod row;
mod schema;
mod shared;
mod sweep;
#[cfg(test)]
mod tests;
mod text;
mod tls;
#[cfg(test)]
mod together;
#[cfg(test)]
mod unanswered;
mod url;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use protocol::line::{Changes, Facts, Wants};
use protocol::model::{Event, Job, JobId};
use protocol::secret::Digest;
use protocol::time::UnixTime;
use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::AbortHandle;

use self::background::BackgroundPool;
use self::commit::Turns;
use self::error::PostgresError;
use self::lane::{Hold, LaneWork};
use self::link::{Connector, Link, Purpose};
use self::list::View;
use self::pen::PostgresPen;
use self::queue::{Queue, Waiting, queue};
use self::shared::{
    Forget, Lease, MasterFingerprint, NoteMasterFingerprint, ReplaceMasterFingerprint, Tally, WasLeased,
};
use self::sweep::Sweeper;
use self::url::Address;
use crate::documents::Documents;
use crate::moving::{Cells, Stretch, Table};
use crate::sweep_schedule::SweepSchedule;
use crate::{
    CommitError, Fault, Inspection, JobBurial, JobChange, JobClaim, JobEnd, Mode, OpenError, Pen, Query, Rows, Sqlite,
    Store, Window,
};

/// Number of lanes of each kind. The second lane helps if the first cannot keep up.
const LANES: usize = 2;
/// Number of lanes for turns that are written alone. They mostly wait for answers, and sometimes for each other.
const LANES_ALONE: usize = 6;
/// Maximum number of waiting calls. Further callers wait for room.
const QUEUE_MAX: usize = 4_096;
/// Number of waiting calls at which a second lane helps. The fixed cost of a batch is then small compared with its
/// turns.
const HELP_MIN: usize = 64;
/// Maximum number of loads in a batch.
const LOADS_MAX: usize = 256;
/// Maximum number of turns in a batch. Bounds how long the first of them waits for the last.
const TURNS_MAX: usize = 256;
/// Number of connections for lists and sweeps.
const DESKS: usize = 2;

/// Settings that make the planner use indices for look-ups by key, whatever the statistics of a new table say, and keep
/// the plans.
macro_rules! by_key {
    ($rest:literal) => {
        concat!(
            "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; \
             SET jit = off; SET plan_cache_mode = force_generic_plan; SET lock_timeout = '5s'; \
             SET idle_in_transaction_session_timeout = '30s'; ",
            $rest
        )
    };
}

/// The purpose of the lanes for loads.
static LOADING: Purpose =
    Purpose { statements: &[load::STATEMENTS, pins::STATEMENTS], settings: by_key!("SET statement_timeout = '10s'") };
/// The purpose of the lanes for commits. Statements must not have a timeout: a COMMIT that is interrupted while it
/// waits for a standby counts as done, and would be acknowledged although the standby may not have it.
/// SYNCHRONOUS_COMMIT stays as the operator set it, but waits at least for the local disk, even if the operator
/// switches it off later: a setting of the session is not changed from outside. Only transactions that declare that
/// they write can write, because their statements are sent before the transaction is known to have begun.
static WRITING: Purpose = Purpose {
    statements: &[gate::STATEMENTS, batch::STATEMENTS, insert::STATEMENTS],
    settings: by_key!(
        // A batch must not wait long for a single locked row.
        "SET statement_timeout = 0; SET lock_timeout = '250ms'; SET default_transaction_read_only = on; \
         SELECT set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), false)"
    ),
};
/// The purpose of connections for turns that are written alone, lists and sweeps.
static AT_LEISURE: Purpose = Purpose {
    statements: &[gate::STATEMENTS],
    settings: "SET jit = off; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '60s'; \
        SET statement_timeout = 0; \
        SELECT set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), false)",
};
/// A store in a PostgreSQL database.
pub struct Postgres {
    connector: Arc<Connector>,
    documents: Arc<Documents>,
    loads: Queue<Wants, Result<Facts, Fault>>,
    frequent: Queue<Changes, Result<(), CommitError>>,
    alone: Queue<Changes, Result<(), CommitError>>,
    background: BackgroundPool,
    /// The connection for exclusive turns: one at a time from each process.
    pen: Arc<Mutex<Hold>>,
    schedule: SweepSchedule,
    listener: Option<AbortHandle>,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

impl Postgres {
    /// Opens the database at `url`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(url: &str, mode: Mode) -> Result<Self, OpenError> {
        let (connector, link) = reach(url).await?;
        let place = connector.address().place();
        let found = examine(&place, &link).await?;
        if found == 0 && mode == Mode::Existing {
            return Err(OpenError::Empty { place });
        }
        if found < schema::known() {
            schema::migrate(&link).await.map_err(|cause| OpenError::Schema { path: place.clone(), cause })?;
        }
        drop(link);
        let documents = Arc::new(Documents::new());
        let (loads, waiting) = queue(QUEUE_MAX, HELP_MIN);
        for hold in holds(&connector, LOADING, &place).await? {
            tokio::spawn(serve_loads(hold.with(Arc::clone(&documents)), waiting.clone(), Arc::clone(&documents)));
        }
        let (frequent, waiting) = queue(QUEUE_MAX, HELP_MIN);
        for hold in holds(&connector, WRITING, &place).await? {
            tokio::spawn(serve_frequent(hold, waiting.clone()));
        }
        let (alone, waiting) = queue(QUEUE_MAX, 1);
        for _ in 0..LANES_ALONE {
            tokio::spawn(serve_alone(Hold::new(Arc::clone(&connector), AT_LEISURE), waiting.clone()));
        }
        let background = BackgroundPool::new(&connector, AT_LEISURE, DESKS);
        // Do not listen behind a pooler, where a notification would reach whichever client has the server connection at
        // that moment.
        let listener = (!connector.address().is_pooled)
            .then(|| tokio::spawn(shared::listen(Arc::clone(&connector))).abort_handle());
        let pen = Arc::new(Mutex::new(Hold::new(Arc::clone(&connector), AT_LEISURE)));
        Ok(Self {
            connector,
            documents,
            loads,
            frequent,
            alone,
            background,
            pen,
            schedule: SweepSchedule::new(),
            listener,
        })
    }

    /// Inspects the database at `url`. Changes nothing.
    pub(crate) async fn inspect(url: &str) -> Result<Inspection, OpenError> {
        let (connector, link) = reach(url).await?;
        let place = connector.address().place();
        let schema = examine(&place, &link).await?;
        let mut inspection =
            Inspection { schema: Some(schema), schema_known: Some(Self::schema_known()), ..Inspection::default() };
        if schema > 0 {
            let found = link.rows(&crate::greatest_id_sql(), &[]).await.map_err(|stop| unreachable_at(&place, stop))?;
            let greatest_id = found.first().and_then(|row| row.get::<_, Option<i64>>(0));
            inspection.greatest_id = greatest_id.unwrap_or_default();
        }
        if schema::has_installation(&link).await.map_err(|stop| unreachable_at(&place, stop))? {
            let noted = MasterFingerprint.run(&link).await.map_err(|stop| unreachable_at(&place, stop))?;
            inspection.master_fingerprint = noted;
        }
        Ok(inspection)
    }

    /// Returns identifiers that a client and a user share. Changes nothing.
    pub(crate) async fn shared_ids(url: &str) -> Result<Vec<String>, OpenError> {
        let (connector, link) = reach(url).await?;
        let place = connector.address().place();
        if examine(&place, &link).await? == 0 {
            return Ok(Vec::new());
        }
        let rows = link.rows(crate::SHARED_IDS, &[]).await.map_err(|stop| unreachable_at(&place, stop))?;
        Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect())
    }

    /// Returns the newest schema version that this program knows.
    pub(crate) fn schema_known() -> u32 {
        schema::known()
    }
}

/// Checks a URL without connecting. Returns a warning for the operator, if there is one.
///
/// # Errors
/// The fault of the URL.
pub(crate) fn check_address(url: &str) -> Result<Option<String>, String> {
    Ok(Address::parse(url)?.exposed_warning())
}

/// Connects for the first time.
async fn reach(url: &str) -> Result<(Arc<Connector>, Link), OpenError> {
    let address = Address::parse(url).map_err(|cause| OpenError::Address { cause })?;
    let place = address.place();
    let connector = Connector::new(address).map_err(|cause| OpenError::Address { cause })?;
    let link = connector.connect(AT_LEISURE).await.map_err(|stop| unreachable_at(&place, stop))?;
    Ok((connector, link))
}

/// Checks that this is a Grantry database or an empty one, and not too new. Returns its schema version.
async fn examine(place: &str, link: &Link) -> Result<u32, OpenError> {
    let refuse = |stop| unreachable_at(place, stop);
    let found = schema::found(link).await.map_err(refuse)?;
    if !schema::is_utf8(link).await.map_err(refuse)? {
        let cause = "its encoding is not UTF8: make it with ENCODING 'UTF8'".to_owned();
        return Err(OpenError::Foreign { path: place.to_owned(), cause });
    }
    if found == 0 && schema::is_foreign(link).await.map_err(refuse)? {
        return Err(OpenError::Foreign {
            path: place.to_owned(),
            cause: "another program's tables are in it".to_owned(),
        });
    }
    if found > schema::known() {
        let oldest = schema::oldest(link).await.map_err(refuse)?;
        if oldest > schema::known() {
            return Err(OpenError::Newer { path: place.to_owned(), found, known: schema::known() });
        }
    }
    Ok(found)
}

fn unreachable_at(place: &str, stop: PostgresError) -> OpenError {
    OpenError::Unreachable { place: place.to_owned(), cause: stop.told() }
}

/// Prepares the connections of one kind of lane. Opens the first one at once, so that a problem is found at the start.
async fn holds(connector: &Arc<Connector>, purpose: Purpose, place: &str) -> Result<Vec<Hold>, OpenError> {
    let mut holds: Vec<Hold> = (0..LANES).map(|_| Hold::new(Arc::clone(connector), purpose)).collect();
    if let Some(first) = holds.first_mut() {
        first.connect().await.map_err(|stop| unreachable_at(place, stop))?;
    }
    Ok(holds)
}

async fn serve_loads(mut hold: Hold, waiting: Waiting<Wants, Result<Facts, Fault>>, documents: Arc<Documents>) {
    while let Some((jobs, mut at_work)) = waiting.take(LOADS_MAX).await {
        let (batch, replies) = jobs.into_iter().map(|job| (Facts::of(job.work), job.reply)).unzip();
        // Boxed because the future has room for every statement of a batch.
        at_work.spend(Box::pin(load_all(&mut hold, &documents, batch, replies))).await;
    }
}

/// Loads a batch and answers its callers. Sending fails if a caller no longer waits.
async fn load_all(
    hold: &mut Hold,
    documents: &Documents,
    mut batch: Vec<Facts>,
    replies: Vec<oneshot::Sender<Result<Facts, Fault>>>,
) {
    match hold.perform(&mut Loading { documents, batch: &mut batch }).await {
        Ok(()) => replies.into_iter().zip(batch).for_each(|(reply, facts)| drop(reply.send(Ok(facts)))),
        // A row that cannot be read must only fail the calls that want it.
        Err(stop) if !stop.may_go_better() && batch.len() > 1 => {
            for (mut facts, reply) in batch.into_iter().zip(replies) {
                let mut alone = Loading { documents, batch: std::slice::from_mut(&mut facts) };
                let found = hold.perform(&mut alone).await;
                drop(reply.send(found.map(|()| facts).map_err(Fault::from)));
            }
        }
        Err(stop) => {
            let fault = Fault::from(stop);
            replies.into_iter().for_each(|reply| drop(reply.send(Err(fault.clone()))));
        }
    }
}

struct Loading<'b> {
    documents: &'b Documents,
    batch: &'b mut [Facts],
}

impl LaneWork for Loading<'_> {
    type Done = ();

    async fn run(&mut self, link: &Link) -> Result<(), PostgresError> {
        load::load(link, self.documents, self.batch).await
    }
}

async fn serve_frequent(mut hold: Hold, waiting: Waiting<Changes, Result<(), CommitError>>) {
    while let Some((jobs, mut at_work)) = waiting.take(TURNS_MAX).await {
        let (turns, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.work, job.reply)).unzip();
        let mut turns = Turns::together(turns);
        let stop = at_work.spend(Box::pin(hold.perform(&mut turns))).await.err();
        replies.into_iter().zip(turns.answers(stop)).for_each(|(reply, answer)| drop(reply.send(answer)));
    }
}

async fn serve_alone(mut hold: Hold, waiting: Waiting<Changes, Result<(), CommitError>>) {
    while let Some((jobs, _at_work)) = waiting.take(1).await {
        for job in jobs {
            let mut turn = Turns::alone(job.work);
            let stop = hold.perform(&mut turn).await.err();
            if let Some(answer) = turn.answers(stop).pop() {
                drop(job.reply.send(answer));
            }
        }
    }
}

struct Listing<'q> {
    documents: &'q Documents,
    query: &'q Query,
}

impl LaneWork for Listing<'_> {
    type Done = Rows;

    async fn run(&mut self, link: &Link) -> Result<Rows, PostgresError> {
        link.begin(load::BEGIN).await?;
        let rows = list::list(View { link, documents: self.documents }, self.query).await?;
        link.simple(load::END).await?;
        Ok(rows)
    }
}

#[async_trait]
impl Store for Postgres {
    async fn load(&self, wants: Wants) -> Result<Facts, Fault> {
        self.loads.ask(wants).await.unwrap_or_else(|| Err(stopped()))
    }

    async fn commit(&self, changes: Changes) -> Result<(), CommitError> {
        if changes.is_empty() {
            return Ok(());
        }
        let queue = if batch::is_frequent(&changes) { &self.frequent } else { &self.alone };
        queue.ask(changes).await.unwrap_or_else(|| Err(stopped().into()))
    }

    async fn pen(&self) -> Result<Box<dyn Pen>, Fault> {
        Ok(Box::new(PostgresPen::take(Arc::clone(&self.pen).lock_owned().await).await?))
    }

    async fn list(&self, query: &Query) -> Result<Rows, Fault> {
        Ok(self.background.perform(&mut Listing { documents: &self.documents, query }).await?)
    }

    fn news(&self) -> Option<watch::Receiver<u64>> {
        self.listener.as_ref().map(|_| self.connector.news())
    }

    async fn master_fingerprint(&self) -> Result<Option<Digest>, Fault> {
        Ok(self.background.perform(&mut MasterFingerprint).await?)
    }

    async fn note_master_fingerprint(&self, own: Digest) -> Result<Digest, Fault> {
        Ok(self.background.perform(&mut NoteMasterFingerprint { own }).await?)
    }

    async fn replace_master_fingerprint(&self, old: Digest, new: Digest) -> Result<bool, Fault> {
        Ok(self.background.perform(&mut ReplaceMasterFingerprint { old, new }).await?)
    }

    async fn lease(&self, work: &str, holder: i64, for_s: u32) -> Result<bool, Fault> {
        Ok(self.background.perform(&mut Lease { work, holder, for_s }).await?)
    }

    async fn was_leased(&self, work: &str) -> Result<bool, Fault> {
        Ok(self.background.perform(&mut WasLeased { work }).await?)
    }

    async fn claim_jobs(&self, claim: JobClaim) -> Result<Vec<Job>, Fault> {
        Ok(self.background.perform(&mut jobs::Claim::new(claim)).await?)
    }

    async fn end_job(&self, id: JobId, holder: i64, end: JobEnd) -> Result<bool, Fault> {
        Ok(self.background.perform(&mut jobs::End { id, holder, end }).await?)
    }

    async fn bury_jobs(&self, burial: JobBurial) -> Result<usize, Fault> {
        Ok(self.background.perform(&mut jobs::Bury(burial)).await?)
    }

    async fn change_job(&self, id: JobId, change: JobChange, event: Event) -> Result<bool, Fault> {
        Ok(self.background.perform(&mut jobs::Change { id, change, event }).await?)
    }

    async fn tally(&self, now: UnixTime, counted: &[Window]) -> Result<Option<Vec<Window>>, Fault> {
        Ok(Some(self.background.perform(&mut Tally { now, counted }).await?))
    }

    async fn read_stretch(
        &self,
        table: &'static Table,
        stretch: Stretch<'_>,
        rows_max: usize,
    ) -> Result<Vec<Cells>, Fault> {
        Ok(self.background.perform(&mut moving::Read { table, stretch, rows_max }).await?)
    }

    async fn replace_stretch(
        &self,
        table: &'static Table,
        stretch: Stretch<'_>,
        rows: Vec<Cells>,
    ) -> Result<(), Fault> {
        Ok(self.background.perform(&mut moving::Replace { table, stretch, rows }).await?)
    }

    async fn settle(&self) -> Result<(), Fault> {
        Ok(self.background.perform(&mut moving::Settle).await?)
    }

    async fn backup(&self, path: &Path) -> Result<(), Fault> {
        if !matches!(Sqlite::inspect(path), Ok(None | Some(0))) {
            return Err(Fault::Unavailable { cause: format!("there is a file already at {}", path.display()) });
        }
        let refuse = |error: OpenError| Fault::Unavailable { cause: error.to_string() };
        let copy = Sqlite::open(path, Mode::Create).map_err(refuse)?;
        // The backup has its own connection and no time limit, because it copies one snapshot.
        let link = self.connector.connect(AT_LEISURE).await?;
        link.begin(load::BEGIN).await?;
        moving::copy(&link, &copy).await?;
        Ok(link.simple(load::END).await?)
    }

    async fn sweep(&self, now: UnixTime, rows_max: usize) -> Result<usize, Fault> {
        // Windows of counted requests do not count as removed rows.
        let rows = i64::try_from(rows_max).unwrap_or(i64::MAX);
        self.background.perform(&mut Forget { now, rows_max: rows }).await?;
        let events_kept_s = self.schedule.events_kept_s.load(Ordering::Relaxed);
        self.schedule.go_on(Sweeper { background: &self.background, events_kept_s }, now, rows_max).await
    }

    fn keep_events(&self, for_s: u64) {
        self.schedule.events_kept_s.store(for_s, Ordering::Relaxed);
    }
}

fn stopped() -> Fault {
    Fault::Broken { cause: "a lane to PostgreSQL has stopped".to_owned() }
}
