//! Client secrets in a turn: what the process remembers about them, and the thread pool on which they are hashed.

use protocol::client::recalled::{Proven, Recalled};
use protocol::line::{Call, Facts};
use protocol::model::Client;
use protocol::policy::Policy;
use protocol::time::UnixTime;

use super::App;
use super::recall::Guess;
use crate::slow::SlowPool;

/// What a call is judged by: rows of the store, and the process's memory.
pub(super) struct Seen {
    pub(super) facts: Facts,
    /// What the process remembers about the secrets of the calling client.
    pub(super) recalled: Recalled,
}

impl App {
    /// Loads the rows that the call wants, and adds what [`App::look_at_secrets`] finds. If the turn has lost a commit
    /// (`has_lost`), it also loads the counters of the client's failed attempts. A remembered secret passes without
    /// them, and the commit may have failed because one is full.
    pub(super) async fn look_with_secrets<C: Call>(
        &self,
        call: &C,
        has_lost: bool,
        policy: &Policy,
        address: &str,
    ) -> Result<(Seen, Option<Guess<'_>>), store::Fault> {
        let mut wants = call.wants();
        if let Some(credentials) = call.credentials().filter(|_| has_lost) {
            credentials.want_counters(&mut wants, policy, address);
        }
        let facts = self.look(wants).await?;
        self.look_at_secrets(call, facts, policy, address).await
    }

    /// Remembers that a client secret was right, and when its use was written, if it was.
    pub(super) fn learn<C: Call>(
        &self,
        call: &C,
        client: Option<&Client>,
        address: &str,
        proven: Option<Proven>,
        noted_at: Option<UnixTime>,
    ) {
        if let (Some(credentials), Some(client), Some(proven)) = (call.credentials(), client, proven) {
            self.recall.learn(credentials, client, address, proven, noted_at);
        }
    }

    /// Adds what the process remembers about the secrets of the calling client. Also loads the counters of its failed
    /// attempts, if the attempt depends on them. A right generated secret, the usual case, needs no second load.
    async fn look_at_secrets<C: Call>(
        &self,
        call: &C,
        facts: Facts,
        policy: &Policy,
        address: &str,
    ) -> Result<(Seen, Option<Guess<'_>>), store::Fault> {
        let Some(credentials) = call.credentials() else {
            return Ok((Seen { facts, recalled: Recalled::default() }, None));
        };
        let recall = |facts: Facts| {
            let client = facts.client(&credentials.client_id);
            let now = self.clock.now();
            let recalled = client.map(|client| self.recall.recalled(credentials, client, address, now, policy));
            let (recalled, is_known) = recalled.unwrap_or_default();
            (Seen { facts, recalled }, is_known)
        };
        let (seen, is_known) = recall(facts);
        if !credentials.is_counted(&seen.facts, &seen.recalled, policy) {
            return Ok((seen, None));
        }
        let guess = (!is_known).then(|| self.recall.guess(credentials.limits(policy, address).client));
        let mut wants = call.wants();
        credentials.want_counters(&mut wants, policy, address);
        // Boxed because few turns need a second load.
        Ok((recall(Box::pin(self.look(wants)).await?).0, guess))
    }

    /// Returns the thread pool on which the call must be judged; `None` if it needs no password hash.
    pub(super) fn pool<C: Call>(&self, call: &C, seen: &Seen, policy: &Policy, address: &str) -> Option<&SlowPool> {
        let Seen { facts, recalled } = seen;
        match call.credentials().filter(|credentials| credentials.is_counted(facts, recalled, policy)) {
            Some(credentials) => {
                let is_hashed = credentials.is_hashed(facts, recalled, policy, address, self.clock.now());
                is_hashed.then_some(&self.slow_clients)
            }
            None => call.is_slow(facts).then_some(&self.slow),
        }
    }
}
