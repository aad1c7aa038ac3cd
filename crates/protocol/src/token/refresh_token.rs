//! The refresh token grant, RFC 6749 §6, with a rotation that tolerates concurrent requests and lost answers.
//!
//! A grant has one *current* refresh token and remembers the one before it. A client that lost the answer to a refresh may
//! present the previous token again, for a bounded time and until the current token is first used. It gets the same
//! successor: the answer is kept sealed under the previous token, so that the row holds only digests and ciphertext.
//!
//! | presented | when | outcome |
//! |---|---|---|
//! | current | the client rotates | it becomes the previous one, a successor is issued |
//! | current | the client reuses | the same token, a new access token |
//! | previous | within the grace period | the kept answer; a confidential client gets a new access token when that is over |
//! | previous | later | a replay: the grant ends |
//! | older | | a replay: the grant ends, RFC 9700 §4.14.2 |
//! | newer than the row | the store was set back | refused, and the grant lives on |
//!
//! The grace period of a public client is one minute. An attacker who copied its token can present the token too. The
//! server can tell the two parties apart only by a token that no longer works: after the minute, the next refresh by
//! the party with the older token ends the grant.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::crypto::keys::{self, GENERATION_MAX, Keys, Minted, Presented};
use crate::line::Reply;
use crate::line::{Facts, Key, RefreshMatch, Rely, Turn, Wants, Write};
use crate::liveness::Dead;
use crate::model::{
    Authorization, Client, ClientKind, EventKind, Grant, GrantId, GrantType, Permission, Refresh, RefreshMode, User,
    WithOwners,
};
use crate::policy::{PUBLIC_GRACE_S, Policy};
use crate::refusal::{No, Refusal};
use crate::scope::Scope;
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::token::issue::{self, Granted, Source};
use crate::wire::{Param, Params};

#[derive(Debug)]
pub(crate) struct Request {
    text: Secret,
    /// The token and its generation. `None` if the text is no refresh token of this server.
    presented: Option<(Presented, u32)>,
    /// The grant type whose tokens are spelled like the presented one; `None` for the dialect's usual spelling.
    spelled_for: Option<GrantType>,
    params: Params,
}

/// Maximum number of generations by which a token may be newer than its row and still be recognised as newer, after the
/// store was restored from a backup. A grant that is refreshed every minute for a month stays below. Tokens of versions
/// without generations have a random one, which is above it except for one token in 256.
const AHEAD_MAX: u32 = 1 << 16;

/// The position of a presented token among the refresh tokens of its grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Current,
    Previous,
    /// Issued before the previous token.
    Older,
    /// Issued after the current token. The store has lost that since, by a restore from a backup or by a failover to a
    /// standby that lagged.
    Ahead,
}

impl Standing {
    fn of(is: RefreshMatch, generation: u32, refresh: &Refresh) -> Self {
        match is {
            RefreshMatch::Current => return Self::Current,
            RefreshMatch::Previous => return Self::Previous,
            RefreshMatch::Neither => {}
        }
        // By its checksum, this server made the token for this grant. A token with the generation of the current one
        // that is not the current one also comes from a history that the store has lost.
        match generation.checked_sub(refresh.generation) {
            Some(ahead) if ahead <= AHEAD_MAX && generation < GENERATION_MAX => Self::Ahead,
            _ => Self::Older,
        }
    }
}

/// The answer to a rotation, kept for a client that presents the same token again.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// When the token was rotated. `None` in answers that an older version stored.
    #[serde(default)]
    rotated_at: Option<UnixTime>,
    access: String,
    access_expires_at: UnixTime,
    refresh: String,
    #[serde(flatten)]
    permission: Permission,
}

/// An allowed refresh: its rows, and the permission of the new access token.
struct Allowed<'a> {
    client: &'a Arc<Client>,
    user: &'a Arc<User>,
    grant: &'a Grant,
    refresh: &'a Refresh,
    permission: Permission,
    spelled_for: Option<GrantType>,
}

impl Allowed<'_> {
    fn source(&self) -> Source<'_> {
        let authorization = &self.grant.authorization;
        let granted = Some(Granted { grant: self.grant.id, user: self.user, authorization, is_new: false });
        Source { client: self.client, granted, spelled_for: self.spelled_for }
    }

    fn issue_access(&self, turn: &mut Turn<'_>) -> (Minted, UnixTime) {
        issue::access(&self.source(), self.permission.clone(), turn)
    }

    fn reply(&self, access: (&Secret, UnixTime), refresh: &Secret, turn: &mut Turn<'_>) -> Reply {
        issue::reply(access, Some(refresh), &self.permission.scope, &self.source(), turn)
    }
}

impl Request {
    pub(super) fn parse(mut params: Params, policy: &Policy, keys: &Keys) -> Result<Self, Refusal> {
        let text = params.take(Param::RefreshToken).ok_or(Refusal::of(No::ParameterMissing, Param::RefreshToken))?;
        let mut spellings = policy.refresh_spellings();
        let found = spellings.find_map(|(spelling, grant)| Some((keys.read_refresh(spelling, &text)?, grant)));
        let (presented, spelled_for) = found.map_or((None, None), |(presented, grant)| (Some(presented), grant));
        Ok(Self { text: Secret::new(text), presented, spelled_for, params })
    }

    pub(super) fn want(&self, wants: &mut Wants) {
        if let Some((presented, _)) = self.presented {
            wants.add(Key::Grant(GrantId(presented.id)));
        }
    }

    pub(super) fn decide(&self, client: &Arc<Client>, facts: &Facts, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        let (presented, generation) = self.presented.ok_or(No::RefreshUnknown)?;
        let (held, is) = facts.grant(presented).ok_or(No::RefreshUnknown)?;
        // RFC 6749 §6: the server MUST "validate the refresh token, and ensure that the refresh token was issued to the
        // authenticated client".
        if held.row.authorization.client != client.key {
            return Err(No::RefreshOfOtherClient.into());
        }
        let refresh = held.row.refresh.as_ref().ok_or(No::RefreshUnknown)?;
        let user = live_user(held, turn)?;
        let kept = match Standing::of(is, generation, refresh) {
            Standing::Current => None,
            Standing::Previous => Some(self.kept_answer(refresh).ok_or(No::RefreshUnknown)?),
            Standing::Older => return Err(replayed(&held.row, turn).into()),
            Standing::Ahead => return Err(No::RefreshAhead.into()),
        };
        if turn.now.is_past(refresh.idle_until) {
            return Err(No::RefreshExpired.into());
        }
        if kept.as_ref().is_some_and(|answer| turn.now.is_past(answer.repeatable_until(client, turn))) {
            return Err(replayed(&held.row, turn).into());
        }
        let mode = issue::refresh_mode(client, turn);
        if mode == RefreshMode::None {
            return Err(super::unallowed_grant::refusal(GrantType::RefreshToken, client, turn));
        }
        let granted = &held.row.authorization.permission;
        let scope = self.narrowed_scope(&granted.scope, client, turn)?;
        let permission =
            Permission { scope, audience: issue::narrowed_resources(&self.params, &granted.audience, turn)? };
        // The successor is spelled like the presented token, even if the dialect's spelling has changed since.
        let allowed = Allowed { client, user, grant: &held.row, refresh, permission, spelled_for: self.spelled_for };
        match kept {
            Some(answer) => answer.again(&allowed, turn),
            None if mode == RefreshMode::Reuse => Ok(self.reuse(&allowed, turn)),
            None => Ok(self.rotate(&allowed, turn)),
        }
    }

    /// Opens the answer that was given when the presented token was rotated.
    fn kept_answer(&self, refresh: &Refresh) -> Option<Answer> {
        let plain = keys::open_under_token(&self.text, refresh.answer.as_ref()?)?;
        serde_json::from_slice(&plain).ok()
    }

    fn rotate(&self, allowed: &Allowed<'_>, turn: &mut Turn<'_>) -> Reply {
        let grant = allowed.grant;
        let generation = allowed.refresh.generation.saturating_add(1);
        let successor = allowed.source().mint_refresh(grant.id, generation, turn);
        let (access, access_expires_at) = allowed.issue_access(turn);
        let idle_until = issue::refresh_idle_until(allowed.client, grant.created_at, turn);
        let answer = Answer {
            rotated_at: Some(turn.now),
            access: access.text.reveal().to_owned(),
            access_expires_at,
            refresh: successor.text.reveal().to_owned(),
            permission: allowed.permission.clone(),
        };
        let answer = serde_json::to_vec(&answer).expect("strings and numbers become JSON");
        let sealed = keys::seal_under_token(&self.text, &answer, &mut turn.entropy);
        turn.write(Write::RotateRefresh {
            grant: grant.id,
            from: allowed.refresh.current,
            to: Refresh {
                current: successor.digest,
                previous: Some(allowed.refresh.current),
                answer: Some(sealed),
                generation,
                idle_until,
            },
            expires_at: access_expires_at.max(idle_until),
        });
        allowed.reply((&access.text, access_expires_at), &successor.text, turn)
    }

    fn reuse(&self, allowed: &Allowed<'_>, turn: &mut Turn<'_>) -> Reply {
        let (access, access_expires_at) = allowed.issue_access(turn);
        let idle_until = issue::refresh_idle_until(allowed.client, allowed.grant.created_at, turn);
        let &Refresh { current, generation, .. } = allowed.refresh;
        turn.write(Write::RotateRefresh {
            grant: allowed.grant.id,
            from: current,
            // The current token stays, without a previous one: a client whose tokens rotated until now has proven that
            // it got the current one.
            to: Refresh { current, previous: None, answer: None, generation, idle_until },
            expires_at: access_expires_at.max(idle_until),
        });
        allowed.reply((&access.text, access_expires_at), &self.text, turn)
    }

    /// Returns the scope of the new access token. RFC 6749 §6: "The requested scope MUST NOT include any scope not
    /// originally granted by the resource owner, and if omitted is treated as equal to the scope originally granted".
    /// Scopes that the client may no longer request are left out.
    fn narrowed_scope(&self, granted: &Scope, client: &Client, turn: &Turn<'_>) -> Result<Scope, Refusal> {
        let policy = &turn.policy.scope;
        let text = self.params.value(Param::Scope).unwrap_or_default();
        let refused = |no, word: &str| issue::scope_refusal(no, word, client, turn);
        let asked = Scope::parse(text).map_err(|word| refused(No::ScopeUnknown, &word))?;
        let within = policy.closure(granted);
        if let Some(word) = asked.iter().find(|word| !within.contains(word)) {
            return Err(refused(No::ScopeWider, word).with_choices(granted.iter()));
        }
        let wanted = if asked.is_empty() { granted } else { &asked };
        let scope = wanted.intersection(&policy.within_reach_of(client));
        if scope.is_empty() && !wanted.is_empty() {
            return Err(refused(No::ScopeNotAllowed, wanted.as_str()));
        }
        Ok(scope)
    }
}

impl Answer {
    /// Returns the time until which the previous token may be presented again. After that it is a replay.
    fn repeatable_until(&self, client: &Client, turn: &Turn<'_>) -> UnixTime {
        let grace_s = match client.kind {
            ClientKind::Confidential => turn.policy.refresh_grace_s,
            ClientKind::Public => turn.policy.refresh_grace_s.min(PUBLIC_GRACE_S),
        };
        // An answer without a time can be repeated until its access token expires.
        self.rotated_at.map_or(self.access_expires_at, |rotated_at| rotated_at.plus(grace_s))
    }

    /// Repeats the answer: the same successor, and the same access token if that is unexpired and has the requested
    /// permission. Otherwise a confidential client gets a new access token. A public client is refused, so that a
    /// copied token yields no access token of its own.
    fn again(self, allowed: &Allowed<'_>, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        let successor = Secret::new(self.refresh);
        let is_same = self.permission == allowed.permission;
        let is_public = allowed.client.kind == ClientKind::Public;
        if is_same && (is_public || !turn.now.is_past(self.access_expires_at)) {
            turn.write(Write::AwaitDurability);
            let access = Secret::new(self.access);
            return Ok(allowed.reply((&access, self.access_expires_at), &successor, turn));
        }
        if is_public {
            return Err(No::RefreshRetryDiffers.into());
        }
        turn.rely(Rely::Grant(allowed.grant.id));
        let (access, access_expires_at) = allowed.issue_access(turn);
        Ok(allowed.reply((&access.text, access_expires_at), &successor, turn))
    }
}

/// Revokes the grant, because an old token was presented and somebody must have kept a copy. RFC 9700 §4.14.2: the
/// server "cannot determine which party submitted the invalid refresh token, but it will revoke the active refresh
/// token".
fn replayed(grant: &Grant, turn: &mut Turn<'_>) -> No {
    turn.write(Write::RevokeGrant(grant.id));
    let Authorization { user, client, .. } = grant.authorization;
    turn.note(EventKind::RefreshReplayed, Some(user), Some(client), "");
    No::RefreshReplayed
}

fn live_user<'f>(held: &'f WithOwners<Grant>, turn: &mut Turn<'_>) -> Result<&'f Arc<User>, No> {
    if let Err(dead) = held.check(&turn.policy.dialect) {
        if dead == Dead::User {
            turn.note(
                EventKind::RefreshRefused,
                Some(held.row.authorization.user),
                Some(held.row.authorization.client),
                "the user is disabled or gone",
            );
        }
        return Err(match dead {
            Dead::User => No::GrantUserGone,
            Dead::Client | Dead::Grant => No::GrantRevoked,
        });
    }
    held.user.as_ref().ok_or(No::GrantUserGone)
}

#[cfg(test)]
mod tests;
