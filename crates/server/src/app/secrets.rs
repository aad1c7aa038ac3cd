//! Client secrets in a turn: what this process remembers of them, and the pool on which they are hashed.

use protocol::client::authenticate::Proven;
use protocol::line::{Call, Facts, Wants};
use protocol::model::Client;
use protocol::policy::Policy;
use protocol::time::UnixTime;

use super::App;
use super::recall::Guess;
use crate::slow::SlowPool;

impl App {
    /// Loads what is wanted, with what [`App::look_at_secrets`] adds.
    pub(super) async fn look_with_secrets<C: Call>(
        &self,
        call: &C,
        wants: &Wants,
        policy: &Policy,
        address: &str,
    ) -> Result<(Facts, Option<Guess<'_>>), store::Fault> {
        let facts = self.look(wants).await?;
        self.look_at_secrets(call, wants, facts, policy, address).await
    }

    /// Remembers the client's secret that was right in a turn, and that its use was noted.
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

    /// Adds what this process remembers of the secrets of the calling client; and the counters of its failed attempts, where
    /// the attempt depends on them. A client whose generated secret is right, which is the usual one, costs no second look.
    async fn look_at_secrets<C: Call>(
        &self,
        call: &C,
        wants: &Wants,
        facts: Facts,
        policy: &Policy,
        address: &str,
    ) -> Result<(Facts, Option<Guess<'_>>), store::Fault> {
        let Some(credentials) = call.credentials() else { return Ok((facts, None)) };
        let recall = |mut facts: Facts| {
            let recalled = facts
                .client
                .as_deref()
                .map(|client| self.recall.recalled(credentials, client, address, self.clock.now(), policy));
            let (recalled, is_known) = recalled.unwrap_or_default();
            facts.recalled = recalled;
            (facts, is_known)
        };
        let (facts, is_known) = recall(facts);
        if !credentials.is_counted(&facts, policy) {
            return Ok((facts, None));
        }
        let guess = (!is_known).then(|| self.recall.guess(credentials.doors(policy, address).client));
        let mut wants = wants.clone();
        credentials.want_counters(&mut wants, policy, address);
        // Boxed: few turns need a second look.
        Ok((recall(Box::pin(self.look(&wants)).await?).0, guess))
    }

    /// Counts a turn that lost a race. Perhaps it lost because the door was shut that a remembered secret passes without
    /// looking, so the next attempt looks.
    pub(super) fn lost<C: Call>(&self, call: &C, wants: &mut Wants, policy: &Policy, address: &str) {
        self.metrics.turn_lost();
        if let Some(credentials) = call.credentials() {
            credentials.want_counters(wants, policy, address);
        }
    }

    /// The pool on which the call must be judged, if that takes password hashes.
    pub(super) fn pool<C: Call>(&self, call: &C, facts: &Facts, policy: &Policy, address: &str) -> Option<&SlowPool> {
        match call.credentials().filter(|credentials| credentials.is_counted(facts, policy)) {
            Some(credentials) => {
                credentials.is_hashed(facts, policy, address, self.clock.now()).then_some(&self.slow_clients)
            }
            None => call.is_slow(facts).then_some(&self.slow),
        }
    }
}
