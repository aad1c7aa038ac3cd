//! Jobs of the store in memory.

use std::collections::BTreeMap;

use protocol::model::{Event, Job, JobId, JobState};
use protocol::time::UnixTime;

use super::Tables;
use crate::{JobBurial, JobChange, JobClaim, JobCount, JobEnd, JobFilter};

impl Tables {
    pub(super) fn claim_jobs(&mut self, claim: JobClaim) -> Vec<Job> {
        let JobClaim { holder, now, for_s, jobs_max, kinds } = claim;
        let is_free = |held: &Option<(i64, UnixTime)>| held.is_none_or(|(_, until)| now.is_past(until));
        let is_due =
            |job: &Job| job.state == JobState::Waiting && now.is_past(job.due_at) && kinds.contains(&job.kind.as_str());
        let due = self.jobs.rows().filter(|(_, (job, held))| is_due(job) && is_free(held));
        let mut due: Vec<(UnixTime, JobId)> = due.map(|(id, (job, _))| (job.due_at, *id)).collect();
        due.sort_unstable();
        due.truncate(usize::try_from(jobs_max).unwrap_or(usize::MAX));
        for (_, id) in &due {
            self.jobs.edit(id, |(job, held)| {
                job.attempts += 1;
                *held = Some((holder, now.plus(for_s)));
            });
        }
        due.iter().filter_map(|(_, id)| self.jobs.row(id)).map(|(job, _)| job.clone()).collect()
    }

    pub(super) fn end_job(&mut self, id: JobId, holder: i64, end: JobEnd) -> bool {
        if !self.jobs.row(&id).is_some_and(|(_, held)| held.is_some_and(|(by, _)| by == holder)) {
            return false;
        }
        match end {
            JobEnd::Done => self.jobs.remove(&id),
            JobEnd::Later { due_at, error } => self.put_back(id, due_at, error, JobState::Waiting),
            JobEnd::Dead { at, error } => self.put_back(id, at, error, JobState::Dead),
        }
        true
    }

    pub(super) fn bury_jobs(&mut self, burial: JobBurial) -> usize {
        let JobBurial { kinds, due_before, now, error } = burial;
        let is_free = |held: &Option<(i64, UnixTime)>| held.is_none_or(|(_, until)| now.is_past(until));
        let is_strange = |job: &Job| !kinds.contains(&job.kind.as_str()) && due_before.is_past(job.due_at);
        let waiting = self.jobs.rows().filter(|(_, (job, held))| job.state == JobState::Waiting && is_free(held));
        let strange: Vec<JobId> = waiting.filter(|(_, (job, _))| is_strange(job)).map(|(id, _)| *id).collect();
        for id in &strange {
            self.put_back(*id, now, error.to_owned(), JobState::Dead);
        }
        strange.len()
    }

    /// Adds an event.
    pub(super) fn note(&mut self, event: Event) {
        let next = self.events.rows().next_back().map_or(0, |(at, _)| at + 1);
        self.events.put(next, event);
    }

    pub(super) fn change_job(&mut self, id: JobId, change: JobChange) -> bool {
        let Some((_, held)) = self.jobs.row(&id) else { return false };
        match change {
            JobChange::Drop => self.jobs.remove(&id),
            JobChange::Retry { now } if held.is_none_or(|(_, until)| now.is_past(until)) => {
                self.jobs.edit(&id, |(job, held)| {
                    *held = None;
                    (job.due_at, job.attempts, job.state) = (now, 0, JobState::Waiting);
                });
            }
            JobChange::Retry { .. } => return false,
        }
        true
    }

    fn put_back(&mut self, id: JobId, due_at: UnixTime, error: String, state: JobState) {
        self.jobs.edit(&id, |(job, held)| {
            *held = None;
            (job.due_at, job.last_error, job.state) = (due_at, Some(error), state);
        });
    }

    pub(super) fn jobs(&self, filter: &JobFilter) -> Vec<Job> {
        let all = self.jobs.rows().map(|(_, (job, _))| job);
        all.filter(|job| filter.state.is_none_or(|state| job.state == state))
            .filter(|job| filter.kind.as_ref().is_none_or(|kind| job.kind == *kind))
            .take(filter.rows_max)
            .cloned()
            .collect()
    }

    pub(super) fn job_counts(&self) -> Vec<JobCount> {
        let mut counts: BTreeMap<(&str, bool), (u64, UnixTime)> = BTreeMap::new();
        for (_, (job, _)) in self.jobs.rows() {
            let own = counts.entry((&job.kind, job.state == JobState::Dead)).or_insert((0, job.due_at));
            *own = (own.0 + 1, own.1.min(job.due_at));
        }
        let count = |((kind, is_dead), (count, oldest_due_at)): ((&str, bool), _)| JobCount {
            kind: kind.to_owned(),
            state: crate::jobs::state_of(is_dead),
            count,
            oldest_due_at,
        };
        counts.into_iter().map(count).collect()
    }
}
