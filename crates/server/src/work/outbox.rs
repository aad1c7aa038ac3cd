//! The outbox: the task that does jobs, which are work that a turn left for later.
//!
//! A job is done at least once. A worker claims it for a time. If the worker is killed, another one claims the job when
//! that time is over. A job that fails is tried again after growing pauses, and is buried as dead after [`ATTEMPTS_MAX`]
//! attempts. The store buries jobs whose rows cannot be read, and this task those whose kind stays unknown.

use std::time::Duration;

use protocol::model::Job;
use protocol::time::UnixTime;
use store::{Fault, JobBurial, JobClaim, JobEnd};

use super::jobs::{self, JobError};
use super::task::{Failure, Next, Node};
use crate::app::App;
use crate::fault::caught;
use crate::observe::jobs::Attempt;

/// Length of a claim in seconds.
const CLAIM_S: u64 = 60;
/// Time limit of an attempt. It is shorter than a claim, because clocks of nodes differ and the store may be slow, and
/// two nodes must not do the same job at the same time.
const ATTEMPT_TIME: Duration = Duration::from_secs(30);
/// Maximum number of attempts at a job, after which it is dead. With the pauses below, the last attempt comes a little
/// over two days after the first.
const ATTEMPTS_MAX: u32 = 20;
/// Pause after the first failure, in seconds. It doubles with each further failure.
const PAUSE_MIN_S: u64 = 10;
/// Maximum pause between two attempts, in seconds: six hours.
const PAUSE_MAX_S: u64 = 6 * 60 * 60;

/// How long a job of an unknown kind waits for a node that knows it, in seconds: a week. An upgrade node by node takes hours,
/// and the return to an older version some days.
const STRANGE_S: u64 = 7 * 24 * 60 * 60;
/// Why such a job is buried.
const STRANGE: &str = "no node knows this kind of job: it waited for a week for a newer version";

/// Does one job that is due.
pub(super) async fn step(node: &Node) -> Result<Next, Failure> {
    let app = &node.app;
    let job = match app.store.claim_jobs(claim_of(node)).await {
        Ok(mut jobs) => jobs.pop(),
        Err(Fault::Unsupported(_)) => return Ok(Next::Never),
        Err(fault) => return Err(failed(app, "jobs could not be claimed", &fault)),
    };
    if let Some(job) = &job {
        let outcome = attempt(app, job).await;
        end(app, job, outcome).await?;
    }
    let now = app.clock.now();
    if app.metrics.jobs.are_to_be_counted(now) {
        bury_strange(app, now).await?;
        let counts = app.store.job_counts().await;
        let counts = counts.map_err(|fault| failed(app, "jobs could not be counted", &fault))?;
        app.metrics.jobs.counted(&counts, now);
    }
    Ok(if job.is_some() { Next::Soon(Duration::ZERO) } else { Next::Usual })
}

/// Returns the claim of one job that is due.
fn claim_of(node: &Node) -> JobClaim {
    let app = &node.app;
    JobClaim { holder: app.node, now: app.clock.now(), for_s: CLAIM_S, jobs_max: 1, kinds: jobs::KINDS }
}

/// Buries jobs whose kind has been unknown for too long.
async fn bury_strange(app: &App, now: UnixTime) -> Result<(), Failure> {
    let due_before = UnixTime(now.0.saturating_sub_unsigned(STRANGE_S));
    let burial = JobBurial { kinds: jobs::KINDS, due_before, now, error: STRANGE };
    let buried = app.store.bury_jobs(burial).await;
    let buried = buried.map_err(|fault| failed(app, "jobs of unknown kinds could not be buried", &fault))?;
    if buried > 0 {
        tracing::error!(jobs = buried, cause = STRANGE, "jobs were buried as dead");
    }
    Ok(())
}

fn failed(app: &App, what: &'static str, fault: &Fault) -> Failure {
    app.note_fault(fault);
    Failure::new(what, fault)
}

/// Makes one attempt at a job within the time limit. Refuses a job whose earlier attempts stopped their workers.
async fn attempt(app: &App, job: &Job) -> Result<(), JobError> {
    // The store counts an attempt when it begins. The count exceeds the limit only if workers stopped during attempts.
    if job.attempts > ATTEMPTS_MAX {
        return Err(JobError::Never(format!(
            "the server stopped during attempts at this job; {ATTEMPTS_MAX} were made"
        )));
    }
    let running = std::pin::pin!(jobs::run(app, job));
    match tokio::time::timeout(ATTEMPT_TIME, caught(running)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(JobError::Again(format!("the job panicked: {panic}"))),
        Err(_) => Err(JobError::Again(format!("the job was not done within {} s", ATTEMPT_TIME.as_secs()))),
    }
}

/// Writes the outcome of an attempt to the store, the log and the metrics.
async fn end(app: &App, job: &Job, outcome: Result<(), JobError>) -> Result<(), Failure> {
    let random = u64::from_be_bytes(app.draw().bytes());
    let end = ended(job, outcome, app.clock.now(), random);
    let is_held = app.store.end_job(job.id, app.node, end.clone()).await;
    if !is_held.map_err(|fault| failed(app, "the end of a job could not be written", &fault))? {
        tracing::warn!(
            job = job.id.0,
            kind = job.kind,
            "the job was dropped, or its claim was over: it may be done twice"
        );
        return Ok(());
    }
    app.metrics.jobs.attempted(match &end {
        JobEnd::Done => Attempt::Done,
        JobEnd::Later { .. } => Attempt::Failed,
        JobEnd::Dead { .. } => Attempt::Buried,
    });
    match &end {
        JobEnd::Done => {}
        JobEnd::Later { due_at, error } => {
            let (attempts, pause_s) = (job.attempts, app.clock.now().seconds_until(*due_at));
            tracing::info!(
                job = job.id.0,
                kind = job.kind,
                attempts,
                pause_s,
                cause = error,
                "an attempt at a job failed"
            );
        }
        JobEnd::Dead { error, .. } => {
            let attempts = job.attempts;
            tracing::error!(job = job.id.0, kind = job.kind, attempts, cause = error, "a job was buried as dead");
        }
    }
    Ok(())
}

/// Returns the new state of a job after an attempt.
fn ended(job: &Job, outcome: Result<(), JobError>, now: UnixTime, random: u64) -> JobEnd {
    match outcome {
        Ok(()) => JobEnd::Done,
        Err(JobError::Again(error)) if job.attempts < ATTEMPTS_MAX => {
            JobEnd::Later { due_at: now.plus(pause_s(job.attempts, random)), error }
        }
        Err(JobError::Again(error) | JobError::Never(error)) => JobEnd::Dead { at: now, error },
    }
}

/// Returns the pause after this number of attempts, in seconds. Up to a quarter is added at random, so that jobs that
/// failed together are not tried again together.
fn pause_s(attempts: u32, random: u64) -> u64 {
    let doubled = PAUSE_MIN_S.saturating_mul(1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX));
    let pause_s = doubled.min(PAUSE_MAX_S);
    (pause_s + random % (pause_s / 4 + 1)).min(PAUSE_MAX_S)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use protocol::line::{Changes, Write};
    use protocol::model::{JobId, JobState};
    use serde_json::{Map, Value, json};
    use store::{JobFilter, Memory, Mode, Store};

    use super::super::tests::node;
    use super::*;
    use crate::clock::Clock;
    use crate::observe::exposition;

    const NOW: UnixTime = UnixTime(1_790_000_000);

    fn job(id: i64, document: Value) -> Job {
        let Value::Object(document) = document else { panic!("it is an object") };
        Job::new(JobId(id), jobs::TEST, document, NOW)
    }

    async fn add(store: &dyn Store, jobs: impl IntoIterator<Item = Job>) {
        let changes: Changes = jobs.into_iter().map(|job| Write::Enqueue(Box::new(job))).collect();
        store.commit(changes).await.expect("the jobs are new");
    }

    async fn all(store: &dyn Store) -> Vec<Job> {
        store.jobs(JobFilter { rows_max: 99, ..JobFilter::default() }).await.expect("jobs can be listed")
    }

    fn must_have(node: &Node, lines: &[&str]) {
        let metrics = exposition::text(&node.app);
        for line in lines {
            assert!(metrics.contains(&format!("{line}\n")), "{line} is not in {metrics}");
        }
    }

    #[test]
    fn pauses_double_from_ten_seconds_to_six_hours() {
        assert_eq!([1, 2, 3, 11, 12, 20].map(|attempts| pause_s(attempts, 0)), [10, 20, 40, 10_240, 20_480, 21_600]);
        assert_eq!(pause_s(u32::MAX, 0), PAUSE_MAX_S);
        for random in [0, 1, u64::MAX] {
            assert!((10..=12).contains(&pause_s(1, random)) && pause_s(20, random) <= PAUSE_MAX_S, "{random}");
        }
        assert_ne!(pause_s(9, 0), pause_s(9, 1), "jobs that failed together come back together");
    }

    #[test]
    fn a_job_is_buried_after_its_last_attempt_or_when_no_attempt_can_help() {
        let again = || Err(JobError::Again("away".to_owned()));
        let job = |attempts| Job { attempts, ..Job::new(JobId(1), jobs::TEST, Map::new(), NOW) };
        assert_eq!(ended(&job(1), Ok(()), NOW, 0), JobEnd::Done);
        assert_eq!(
            ended(&job(19), again(), NOW, 0),
            JobEnd::Later { due_at: NOW.plus(21_600), error: "away".to_owned() }
        );
        assert_eq!(ended(&job(20), again(), NOW, 0), JobEnd::Dead { at: NOW, error: "away".to_owned() });
        let never = Err(JobError::Never("nonsense".to_owned()));
        assert_eq!(ended(&job(1), never, NOW, 0), JobEnd::Dead { at: NOW, error: "nonsense".to_owned() });
    }

    #[tokio::test]
    async fn jobs_that_are_due_are_done_one_after_the_other_and_counted() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let node = node(Arc::clone(&store), Clock::fixed(NOW.plus(7)), 1).await;
        add(&*store, [job(1, json!({})), job(2, json!({})), Job { due_at: NOW.plus(8), ..job(3, json!({})) }]).await;
        for next in [Next::Soon(Duration::ZERO), Next::Soon(Duration::ZERO), Next::Usual] {
            assert_eq!(step(&node).await, Ok(next));
        }
        assert_eq!(all(&*store).await.iter().map(|job| job.id.0).collect::<Vec<_>>(), [3], "it is not due");
        // The jobs are counted after the first one is done.
        let counts = ["grantry_jobs_waiting 2", "grantry_jobs_dead 0", "grantry_jobs_oldest_age_seconds 7"];
        must_have(&node, &counts);
        must_have(&node, &["grantry_job_attempts_total{outcome=\"done\"} 2"]);
    }

    #[tokio::test]
    async fn a_job_that_fails_is_tried_again_after_growing_pauses_and_then_buried() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let node = node(Arc::clone(&store), Clock::fixed(NOW), 1).await;
        add(&*store, [job(1, json!({"fail": true}))]).await;
        let mut pauses_s = Vec::new();
        for attempts in 1..=ATTEMPTS_MAX {
            let now = all(&*store).await[0].due_at;
            node.app.clock.set(UnixTime(now.0 - 1));
            assert_eq!(step(&node).await, Ok(Next::Usual), "it was tried before it was due");
            node.app.clock.set(now);
            assert_eq!(step(&node).await, Ok(Next::Soon(Duration::ZERO)));
            let failed = all(&*store).await.remove(0);
            assert_eq!((failed.attempts, failed.last_error.is_some()), (attempts, true));
            let is_last = attempts == ATTEMPTS_MAX;
            assert_eq!(failed.state, if is_last { JobState::Dead } else { JobState::Waiting });
            pauses_s.push(now.seconds_until(failed.due_at));
        }
        assert_eq!(pauses_s.pop(), Some(0), "a dead job says when it died");
        let is_growing = pauses_s.is_sorted() && pauses_s[0] >= PAUSE_MIN_S && pauses_s[18] == PAUSE_MAX_S;
        assert!(is_growing, "{pauses_s:?}");
        node.app.clock.set(node.app.clock.now().plus(86_400));
        assert_eq!(step(&node).await, Ok(Next::Usual), "a dead job was tried");
        must_have(&node, &["grantry_job_attempts_total{outcome=\"failed\"} 19", "grantry_jobs_dead 1"]);
        must_have(&node, &["grantry_job_attempts_total{outcome=\"buried\"} 1", "grantry_jobs_waiting 0"]);
    }

    #[tokio::test]
    async fn a_job_of_a_worker_that_was_killed_is_done_when_its_claim_is_over() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let node = node(Arc::clone(&store), Clock::fixed(NOW), 1).await;
        add(&*store, [job(1, json!({}))]).await;
        let killed = JobClaim { holder: 77, now: NOW, for_s: CLAIM_S, jobs_max: 1, kinds: jobs::KINDS };
        assert_eq!(store.claim_jobs(killed).await.map(|jobs| jobs.len()), Ok(1));
        node.app.clock.set(NOW.plus(CLAIM_S - 1));
        assert_eq!(step(&node).await, Ok(Next::Usual), "another worker has the job");
        node.app.clock.set(NOW.plus(CLAIM_S));
        assert_eq!(step(&node).await, Ok(Next::Soon(Duration::ZERO)));
        assert_eq!(all(&*store).await, []);
    }

    #[tokio::test]
    async fn a_job_that_stops_its_workers_is_buried_without_a_further_attempt() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let node = node(Arc::clone(&store), Clock::fixed(NOW), 1).await;
        add(&*store, [Job { attempts: ATTEMPTS_MAX, ..job(1, json!({})) }]).await;
        assert_eq!(step(&node).await, Ok(Next::Soon(Duration::ZERO)));
        assert_eq!(all(&*store).await[0].state, JobState::Dead);
    }

    #[tokio::test]
    async fn a_job_of_a_kind_of_a_newer_version_stays_as_it_is() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let node = node(Arc::clone(&store), Clock::fixed(NOW), 1).await;
        let newer = Job { kind: "newer".to_owned(), ..job(1, json!({})) };
        add(&*store, [newer.clone(), job(2, json!({}))]).await;
        assert_eq!(step(&node).await, Ok(Next::Soon(Duration::ZERO)), "it is in the way of a job that can be done");
        assert_eq!(step(&node).await, Ok(Next::Usual));
        assert_eq!(all(&*store).await, [newer]);
    }

    #[tokio::test]
    async fn a_job_whose_kind_stays_unknown_is_buried_after_a_week() {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let node = node(Arc::clone(&store), Clock::fixed(NOW), 1).await;
        add(&*store, [Job { kind: "newer".to_owned(), ..job(1, json!({})) }]).await;
        node.app.clock.set(NOW.plus(STRANGE_S - 1));
        assert_eq!(step(&node).await, Ok(Next::Usual));
        assert_eq!(all(&*store).await[0].state, JobState::Waiting);
        node.app.clock.set(NOW.plus(STRANGE_S + 60));
        assert_eq!(step(&node).await, Ok(Next::Usual));
        let buried = all(&*store).await.remove(0);
        assert_eq!((buried.state, buried.attempts, buried.due_at), (JobState::Dead, 0, NOW.plus(STRANGE_S + 60)));
        assert_eq!(buried.last_error.as_deref(), Some(STRANGE));
        must_have(&node, &["grantry_jobs_dead 1"]);
    }

    #[tokio::test]
    async fn two_workers_on_one_database_do_each_job_once() {
        const JOBS: i64 = 40;
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("grantry.db").display());
        let mut nodes = Vec::new();
        for number in [1, 2] {
            let store = store::open(&url, Mode::Create).await.expect("it can be opened");
            nodes.push(node(store, Clock::fixed(NOW), number).await);
        }
        assert_ne!(nodes[0].app.node, nodes[1].app.node);
        let store = Arc::clone(&nodes[0].app.store);
        add(&*store, (1..=JOBS).map(|id| job(id, json!({})))).await;
        let busy = claim_of(&nodes[0]);
        assert_eq!(
            store.claim_jobs(busy).await.map(|jobs| jobs[0].id),
            Ok(JobId(1)),
            "the first worker is busy with it"
        );
        let (mut one, mut other) = (0, 0);
        loop {
            let (a, b) = tokio::join!(step(&nodes[0]), step(&nodes[1]));
            let has_worked = [a, b].map(|next| next.expect("the store works") != Next::Usual);
            if has_worked == [false, false] {
                break;
            }
            one += i64::from(has_worked[0]);
            other += i64::from(has_worked[1]);
        }
        assert_eq!(all(&*store).await.iter().map(|job| job.id.0).collect::<Vec<_>>(), [1], "two workers had the job");
        assert_eq!(one + other, JOBS - 1, "a job was done twice");
        assert!(one > 0 && other > 0, "only one worked: {one} and {other}");
    }
}
