//! Jobs whose rows were damaged, and claims whose answers were lost.

use protocol::model::JobId;

use super::open;
use crate::conformance::jobs::{damaged_jobs_are_buried, put_four_jobs};
use crate::conformance::rows::*;
use crate::postgres::jobs::Claim;
use crate::postgres::lane::LaneWork;
use crate::postgres::reach;
use crate::{JobClaim, Store};

#[tokio::test]
async fn a_job_whose_row_cannot_be_read_is_buried_and_listed() {
    let url = lab::database();
    let store = open(&url).await;
    put_four_jobs(&store).await;
    let (_, link) = reach(&url).await.expect("the database is there");
    let damage =
        "UPDATE jobs SET document = '[1]' WHERE id = 2; UPDATE jobs SET attempts = 1::bigint << 40 WHERE id = 3";
    link.simple(damage).await.expect("the rows can be written");
    damaged_jobs_are_buried(&store).await;
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_gets_the_same_jobs_when_it_is_repeated() {
    let url = lab::database();
    let store = open(&url).await;
    put_four_jobs(&store).await;
    let (_, link) = reach(&url).await.expect("the database is there");
    let claim = JobClaim { holder: 7, now: NOW, for_s: 60, jobs_max: 1, kinds: JOB_KINDS };
    let mut claimed = Claim::new(claim);
    for _ in 0..2 {
        let jobs = claimed.run(&link).await.expect("jobs can be claimed");
        assert_eq!(jobs.iter().map(|job| (job.id, job.attempts)).collect::<Vec<_>>(), [(JobId(1), 1)]);
    }
    let next = store.claim_jobs(claim).await.expect("jobs can be claimed");
    assert_eq!(next.iter().map(|job| job.id).collect::<Vec<_>>(), [JobId(2)], "another claim gets another job");
}
