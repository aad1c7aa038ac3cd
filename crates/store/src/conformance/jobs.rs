//! Tests of jobs: a job exists if and only if its turn was committed, and one worker at a time holds it.

use std::collections::BTreeSet;

use protocol::line::{Changes, Rely, Write};
use protocol::model::{Job, JobId, JobState, UserKey};
use protocol::time::UnixTime;

use super::rows::*;
use crate::{
    CommitError, DEAD_JOB_KEPT_S, EventFilter, JobBurial, JobChange, JobClaim, JobCount, JobEnd, JobFilter, Store,
};

fn enqueue(job: Job) -> Write {
    Write::Enqueue(Box::new(job))
}

async fn claim(store: &dyn Store, holder: i64, at_s: u64, jobs_max: u32) -> Vec<i64> {
    let claim = JobClaim { holder, now: later(at_s), for_s: 60, jobs_max, kinds: JOB_KINDS };
    store.claim_jobs(claim).await.expect("jobs can be claimed").iter().map(|job| job.id.0).collect()
}

async fn end(store: &dyn Store, id: i64, holder: i64, end: JobEnd) -> bool {
    store.end_job(JobId(id), holder, end).await.expect("a job can be ended")
}

async fn all(store: &dyn Store) -> Vec<Job> {
    store.jobs(JobFilter { rows_max: 99, ..JobFilter::default() }).await.expect("jobs can be listed")
}

pub(super) async fn a_job_is_found_as_it_was_put(store: &dyn Store) {
    let failed = Job { last_error: Some("refused".to_owned()), attempts: 7, state: JobState::Dead, ..job(2) };
    commit(store, [enqueue(job(1)), enqueue(failed.clone())]).await;
    assert_eq!(all(store).await, [job(1), failed]);
}

pub(super) async fn a_job_of_a_lost_turn_is_not_there(store: &dyn Store) {
    furnish(store).await;
    must_lose(store, Changes::new([Rely::User(UserKey(1), 9)], [enqueue(job(50))])).await;
    must_lose(store, [enqueue(job(50)), Write::SpendCode(protocol::model::CodeId(9))]).await;
    must_lose(store, [enqueue(job(1))]).await;
    assert_eq!(all(store).await, [job(1)]);
}

pub(super) async fn a_claimed_job_is_nobody_else_s_until_the_claim_is_over(store: &dyn Store) {
    commit(store, [enqueue(job(1))]).await;
    assert_eq!(claim(store, 7, 0, 9).await, [1]);
    assert_eq!(claim(store, 8, 59, 9).await, [0; 0], "it is claimed");
    assert_eq!(claim(store, 7, 59, 9).await, [0; 0], "by this worker as well");
    // The first worker has stopped.
    assert_eq!(claim(store, 8, 60, 9).await, [1]);
    assert_eq!(all(store).await, [Job { attempts: 2, ..job(1) }]);
    for late in [JobEnd::Done, JobEnd::Later { due_at: NOW, error: String::new() }] {
        assert!(!end(store, 1, 7, late).await, "it is another worker's now");
    }
    assert_eq!(all(store).await.len(), 1);
    assert!(end(store, 1, 8, JobEnd::Done).await);
    assert!(!end(store, 1, 8, JobEnd::Done).await, "it is gone");
    assert_eq!(all(store).await, []);
}

pub(super) async fn jobs_are_claimed_when_they_are_due_the_longest_due_first(store: &dyn Store) {
    let due = |id, at_s| enqueue(Job { due_at: later(at_s), ..job(id) });
    commit(store, [due(1, 20), due(2, 10), due(3, 10), due(4, 90)]).await;
    assert_eq!(claim(store, 7, 9, 9).await, [0; 0]);
    assert_eq!(claim(store, 7, 30, 2).await, [2, 3]);
    assert_eq!(claim(store, 7, 30, 2).await, [1]);
}

pub(super) async fn a_failed_job_is_due_later_and_a_dead_one_never(store: &dyn Store) {
    commit(store, [enqueue(job(1))]).await;
    assert_eq!(claim(store, 7, 0, 9).await, [1]);
    assert!(end(store, 1, 7, JobEnd::Later { due_at: later(30), error: "away\0".to_owned() }).await);
    assert_eq!(claim(store, 8, 29, 9).await, [0; 0]);
    assert_eq!(claim(store, 8, 30, 9).await, [1]);
    assert!(end(store, 1, 8, JobEnd::Dead { at: later(40), error: "refused".to_owned() }).await);
    assert_eq!(claim(store, 8, 9_000, 9).await, [0; 0]);
    let error = Some("refused".to_owned());
    let dead = Job { attempts: 2, due_at: later(40), last_error: error, state: JobState::Dead, ..job(1) };
    assert_eq!(all(store).await, [dead]);
    assert_eq!(store.sweep(later(40 + DEAD_JOB_KEPT_S - 1), 9).await, Ok(0));
    assert_eq!(store.sweep(later(40 + DEAD_JOB_KEPT_S), 9).await, Ok(1));
    assert_eq!(all(store).await, []);
}

pub(super) async fn a_job_of_a_kind_that_a_worker_does_not_know_stays_as_it_is(store: &dyn Store) {
    let newer = Job { kind: "newer".to_owned(), ..job(1) };
    commit(store, [enqueue(newer.clone()), enqueue(job(2))]).await;
    assert_eq!(claim(store, 7, 0, 9).await, [2]);
    let claim = JobClaim { holder: 8, now: NOW, for_s: 60, jobs_max: 9, kinds: &[] };
    assert_eq!(store.claim_jobs(claim).await, Ok(Vec::new()));
    assert_eq!(all(store).await[0], newer);
    let claim = JobClaim { kinds: &["other", "newer"], ..claim };
    assert_eq!(store.claim_jobs(claim).await, Ok(vec![Job { attempts: 1, ..newer }]));
}

pub(super) async fn an_operator_retries_and_drops_jobs(store: &dyn Store) {
    let dead = Job { attempts: 20, last_error: Some("refused".to_owned()), state: JobState::Dead, ..job(1) };
    commit(store, [enqueue(dead.clone()), enqueue(Job { due_at: later(900), attempts: 3, ..job(2) })]).await;
    let change = async |id, change| {
        let noted = event(&format!("job {id}"), None);
        store.change_job(JobId(id), change, noted).await.expect("a job can be changed")
    };
    let retry = |at_s| JobChange::Retry { now: later(at_s) };
    assert!(change(1, retry(10)).await && change(2, retry(20)).await);
    assert!(!change(3, retry(10)).await && !change(3, JobChange::Drop).await, "there is no such job");
    let retried = Job { attempts: 0, due_at: later(10), state: JobState::Waiting, ..dead };
    assert_eq!(all(store).await, [retried, Job { due_at: later(20), ..job(2) }]);
    assert_eq!(claim(store, 7, 20, 9).await, [1, 2]);
    assert!(!change(1, retry(79)).await, "a worker holds it");
    assert!(change(1, retry(80)).await, "the claim is over");
    assert!(!end(store, 1, 7, JobEnd::Done).await, "it is no longer the worker's");
    assert!(change(2, JobChange::Drop).await);
    assert!(!end(store, 2, 7, JobEnd::Done).await, "it is gone");
    assert_eq!(claim(store, 8, 80, 9).await, [1]);
    let noted = events(store, EventFilter { rows_max: 9, ..EventFilter::default() }).await;
    let noted: Vec<_> = noted.iter().map(|event| (&*event.detail, event.actor.as_deref())).collect();
    let by = Some("root (0)");
    assert_eq!(
        noted,
        [("job 2", by), ("job 1", by), ("job 2", by), ("job 1", by)],
        "what changed nothing is not noted"
    );
}

pub(super) async fn a_job_of_an_unknown_kind_is_buried_when_it_has_waited_for_long(store: &dyn Store) {
    let of = |id: i64, kind: &str, at_s| enqueue(Job { kind: kind.to_owned(), due_at: later(at_s), ..job(id) });
    let dead =
        Job { kind: "newer".to_owned(), last_error: Some("refused".to_owned()), state: JobState::Dead, ..job(4) };
    commit(store, [of(1, "newer", 10), of(2, "newer", 11), of(3, JOB_KINDS[0], 0), enqueue(dead.clone())]).await;
    let bury = async |due_before, now| {
        let burial = JobBurial { kinds: JOB_KINDS, due_before: later(due_before), now: later(now), error: "unknown" };
        store.bury_jobs(burial).await.expect("jobs can be buried")
    };
    assert_eq!(bury(9, 50).await, 0);
    assert_eq!(bury(10, 50).await, 1);
    let error = Some("unknown".to_owned());
    let buried = |id, at_s| Job {
        kind: "newer".to_owned(),
        due_at: later(at_s),
        last_error: error.clone(),
        state: JobState::Dead,
        ..job(id)
    };
    let found = all(store).await;
    assert_eq!((&found[0], found[1].state, found[2].state), (&buried(1, 50), JobState::Waiting, JobState::Waiting));
    assert_eq!(found[3], dead, "it was dead before");
    // A node of a newer version is doing the other one.
    let claim = JobClaim { holder: 8, now: later(20), for_s: 60, jobs_max: 9, kinds: &["newer"] };
    assert_eq!(store.claim_jobs(claim).await.map(|jobs| jobs.len()), Ok(1));
    assert_eq!((bury(30, 79).await, bury(30, 80).await), (0, 1));
    assert!(!end(store, 2, 8, JobEnd::Done).await, "it is no longer the worker's");
}

pub(super) async fn a_waiting_job_is_never_swept(store: &dyn Store) {
    commit(store, [enqueue(job(1))]).await;
    assert_eq!(store.sweep(UnixTime(i64::MAX / 2), 9).await, Ok(0));
}

pub(super) async fn jobs_are_listed_and_counted_by_state_and_kind(store: &dyn Store) {
    let of = |id: i64, kind: &str, state| {
        enqueue(Job { kind: kind.to_owned(), state, due_at: later(id.unsigned_abs()), ..job(id) })
    };
    let rows = [of(4, "a", JobState::Waiting), of(3, "a", JobState::Waiting), of(2, "a", JobState::Dead)];
    commit(store, rows).await;
    commit(store, [of(1, "B", JobState::Waiting)]).await;
    let ids = async |filter| {
        let found = store.jobs(filter).await.expect("jobs can be listed");
        found.iter().map(|job| job.id.0).collect::<Vec<_>>()
    };
    let all = JobFilter { rows_max: 9, ..JobFilter::default() };
    assert_eq!(ids(all.clone()).await, [1, 2, 3, 4]);
    assert_eq!(ids(JobFilter { rows_max: 2, ..all.clone() }).await, [1, 2]);
    assert_eq!(ids(JobFilter { state: Some(JobState::Dead), ..all.clone() }).await, [2]);
    let waiting = JobFilter { state: Some(JobState::Waiting), kind: Some("a".to_owned()), ..all };
    assert_eq!(ids(waiting).await, [3, 4]);
    let count =
        |kind: &str, state, count, at_s| JobCount { kind: kind.to_owned(), state, count, oldest_due_at: later(at_s) };
    let expected =
        [count("B", JobState::Waiting, 1, 1), count("a", JobState::Waiting, 2, 3), count("a", JobState::Dead, 1, 2)];
    assert_eq!(store.job_counts().await.expect("jobs can be counted"), expected);
}

/// Adds the jobs 1 to 4, of which the caller damages the rows of 2, so that its document is no object, and of 3, so that its
/// attempts are too many for a number of 32 bits.
pub(crate) async fn put_four_jobs(store: &dyn Store) {
    commit(store, (1..=4).map(|id| enqueue(job(id))).collect::<Changes>()).await;
}

/// Checks that the damaged jobs of [`put_four_jobs`] are in nobody's way.
pub(crate) async fn damaged_jobs_are_buried(store: &dyn Store) {
    let said = |job: &Job| job.last_error.clone().unwrap_or_default();
    let listed = all(store).await;
    assert_eq!(listed.iter().map(|job| job.id.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(said(&listed[1]).contains("its document is not a JSON object"), "{listed:?}");
    assert_eq!(claim(store, 7, 0, 1).await, [1]);
    assert_eq!(claim(store, 7, 0, 1).await, [4], "those that cannot be read are passed over");
    let listed = all(store).await;
    let dead: Vec<_> =
        listed.iter().filter(|job| job.state == JobState::Dead).map(|job| (job.id.0, said(job))).collect();
    assert_eq!(dead.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2, 3], "{listed:?}");
    assert!(dead[0].1.contains("its document is not") && dead[1].1.contains("`attempts` is not"), "{dead:?}");
    assert_eq!(store.job_counts().await.expect("jobs can be counted").len(), 2);
    // A job that is retried and still cannot be read is buried again.
    let noted = event("retried", None);
    assert_eq!(store.change_job(JobId(2), JobChange::Retry { now: later(9) }, noted).await, Ok(true));
    assert_eq!(claim(store, 7, 9, 9).await, [0; 0]);
    assert_eq!(all(store).await[1].state, JobState::Dead);
}

/// Two workers, perhaps of two nodes, claim jobs at the same time.
pub(super) async fn of_workers_who_race_each_gets_other_jobs(store: &dyn Store) {
    race_for_jobs(store, store).await;
}

/// Lets two nodes of one store claim jobs at the same time.
pub(crate) async fn race_for_jobs(one: &dyn Store, other: &dyn Store) {
    commit(one, (1..=40).map(|id| enqueue(job(id))).collect::<Changes>()).await;
    let mut claimed = BTreeSet::new();
    for round in 0..20 {
        let (a, b) = tokio::join!(claim(one, 7, round, 2), claim(other, 8, round, 2));
        for id in a.into_iter().chain(b) {
            assert!(claimed.insert(id), "{id} was claimed twice");
        }
    }
    assert_eq!(claimed.len(), 40);
}

pub(super) async fn a_turn_of_another_that_is_lost_takes_no_job_along(store: &dyn Store) {
    furnish(store).await;
    let kept = |id| Changes::from([enqueue(job(id)), Write::Note(event("kept", None))]);
    let lost = || Changes::from([enqueue(job(91)), Write::SpendCode(protocol::model::CodeId(9))]);
    let (a, b, c) = tokio::join!(store.commit(kept(90)), store.commit(lost()), store.commit(kept(92)));
    assert_eq!((a, b, c), (Ok(()), Err(CommitError::Lost), Ok(())));
    assert_eq!(all(store).await.iter().map(|job| job.id.0).collect::<Vec<_>>(), [1, 90, 92]);
}
