//! The refresh token grant, RFC 6749 §6, with a rotation that no race and no lost answer can break.
//!
//! A grant has one *current* refresh token and remembers the one before it. The previous token stays good until its
//! successor is first used, and whoever presents it again gets the same successor: the answer is kept sealed under the
//! previous token itself, so that the rows hold only digests and ciphertext. Any older token is a replay.
//!
//! | presented | mode | outcome |
//! |---|---|---|
//! | current | rotate | it becomes the previous one, a successor is issued |
//! | current | reuse | the same token, a new access token |
//! | previous | | the same answer again |
//! | older | | a replay: the grant ends, RFC 9700 §4.14.2 |

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::call::Reply;
use crate::issue::{self, Subject};
use crate::keys::{self, Keys, Presented, TokenKind};
use crate::live::Dead;
use crate::model::{Client, EventKind, Grant, GrantId, GrantType, Held, Refresh, RefreshMode, User};
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::scope::Scope;
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::turn::{Change, Facts, Rely, Turn, Wants};
use crate::wire::{Param, Params};

#[derive(Debug)]
pub(crate) struct Request {
    text: Secret,
    /// Absent when what was sent is no refresh token of ours.
    presented: Option<Presented>,
    /// The grant whose tokens are written like this one; `None` for the usual way.
    begun_by: Option<GrantType>,
    params: Params,
}

/// The answer to a rotation, as it is kept for whoever asks again with the same token.
#[derive(Serialize, Deserialize)]
struct Answer {
    access: String,
    access_expires_at: UnixTime,
    refresh: String,
    scope: Scope,
    audience: Vec<String>,
}

/// What a live grant's refresh needs beyond the request.
struct Live<'a> {
    client: &'a Arc<Client>,
    user: &'a Arc<User>,
    grant: &'a Grant,
    refresh: &'a Refresh,
    scope: Scope,
    audience: Vec<String>,
    begun_by: Option<GrantType>,
}

impl Live<'_> {
    fn subject(&self) -> Subject<'_> {
        Subject {
            client: self.client,
            user: Some(self.user),
            grant: Some(self.grant.id),
            scope: &self.scope,
            audience: &self.audience,
            begun_by: self.begun_by,
        }
    }
}

impl Request {
    pub(super) fn parse(mut params: Params, policy: &Policy, keys: &Keys) -> Result<Self, Refusal> {
        let text = params.take(Param::RefreshToken).ok_or(Refusal::of(No::ParameterMissing, Param::RefreshToken))?;
        let mut spellings = policy.refresh_spellings();
        let found = spellings
            .find_map(|(spelling, begun_by)| Some((keys.read(TokenKind::Refresh, spelling, &text)?, begun_by)));
        let (presented, begun_by) = found.map_or((None, None), |(presented, begun_by)| (Some(presented), begun_by));
        Ok(Self { text: Secret::new(text), presented, begun_by, params })
    }

    pub(super) fn want(&self, wants: &mut Wants) {
        wants.grant = self.presented.map(|presented| GrantId(presented.id));
    }

    pub(super) fn decide(&self, client: &Arc<Client>, facts: &Facts, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        let presented = self.presented.ok_or(No::RefreshUnknown)?;
        let held = facts.grant.as_ref().ok_or(No::RefreshUnknown)?;
        // RFC 6749 §6: the server MUST "validate the refresh token, and ensure that the refresh token was issued to the
        // authenticated client".
        if held.row.client != client.key {
            return Err(No::RefreshOfOtherClient.into());
        }
        let refresh = held.row.refresh.as_ref().ok_or(No::RefreshUnknown)?;
        let user = live_user(held, turn)?;
        if presented.digest != refresh.current && Some(presented.digest) != refresh.previous {
            // Its checksum says that we made it, for this grant; so it is an older token, and somebody kept it.
            // RFC 9700 §4.14.2: the server "cannot determine which party submitted the invalid refresh token, but it
            // will revoke the active refresh token".
            turn.change(Change::RevokeGrant(held.row.id));
            turn.note(EventKind::RefreshReplayed, Some(held.row.user), Some(held.row.client), "");
            return Err(No::RefreshReplayed.into());
        }
        if turn.now.is_past(refresh.idle_until) {
            return Err(No::RefreshExpired.into());
        }
        let mode = issue::refresh_mode(client, turn);
        if mode == RefreshMode::None {
            return Err(No::GrantTypeNotAllowed.into());
        }
        let scope = self.narrowed_scope(&held.row, client, turn)?;
        let audience = issue::narrowed_resources(&self.params, &held.row.audience, turn)?;
        // The successor is written as the token that was sent: at_ stays at_, and a spelling of a grant's own stays that.
        let live = Live { client, user, grant: &held.row, refresh, scope, audience, begun_by: self.begun_by };
        if presented.digest != refresh.current {
            return self.answer_again(&live, turn);
        }
        Ok(if mode == RefreshMode::Reuse { self.reuse(&live, turn) } else { self.rotate(&live, turn) })
    }

    fn rotate(&self, live: &Live<'_>, turn: &mut Turn<'_>) -> Reply {
        let successor = live.subject().mint_refresh(live.grant.id, turn);
        let (access, access_expires_at) = issue::access(&live.subject(), turn);
        let idle_until = issue::refresh_idle_until(live.client, live.grant.created_at, turn);
        let answer = Answer {
            access: access.text.reveal().to_owned(),
            access_expires_at,
            refresh: successor.text.reveal().to_owned(),
            scope: live.scope.clone(),
            audience: live.audience.clone(),
        };
        let answer = serde_json::to_vec(&answer).expect("strings and numbers become JSON");
        let sealed = keys::seal_under_token(&self.text, &answer, &mut turn.entropy);
        turn.change(Change::RotateRefresh {
            grant: live.grant.id,
            from: live.refresh.current,
            to: Refresh {
                current: successor.digest,
                previous: Some(live.refresh.current),
                answer: Some(sealed),
                idle_until,
            },
            expires_at: access_expires_at.max(idle_until),
        });
        issue::reply(&access.text, access_expires_at, Some(&successor.text), &live.subject(), turn)
    }

    fn reuse(&self, live: &Live<'_>, turn: &mut Turn<'_>) -> Reply {
        let (access, access_expires_at) = issue::access(&live.subject(), turn);
        let idle_until = issue::refresh_idle_until(live.client, live.grant.created_at, turn);
        // The same token, and none before it: a client that rotated until now has used the successor.
        turn.change(Change::RotateRefresh {
            grant: live.grant.id,
            from: live.refresh.current,
            to: Refresh { current: live.refresh.current, previous: None, answer: None, idle_until },
            expires_at: access_expires_at.max(idle_until),
        });
        issue::reply(&access.text, access_expires_at, Some(&self.text), &live.subject(), turn)
    }

    /// The same successor as before, and the same access token while it lives and says what is asked for now.
    fn answer_again(&self, live: &Live<'_>, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        let sealed = live.refresh.answer.as_ref().ok_or(No::RefreshUnknown)?;
        let plain = keys::open_under_token(&self.text, sealed).ok_or(No::RefreshUnknown)?;
        let answer: Answer = serde_json::from_slice(&plain).map_err(|_| No::RefreshUnknown)?;
        let successor = Secret::new(answer.refresh);
        let is_same = answer.scope == live.scope && answer.audience == live.audience;
        if is_same && !turn.now.is_past(answer.access_expires_at) {
            turn.change(Change::Settle);
            let access = Secret::new(answer.access);
            return Ok(issue::reply(&access, answer.access_expires_at, Some(&successor), &live.subject(), turn));
        }
        turn.change(Change::Rely(Rely::Grant(live.grant.id)));
        let (access, access_expires_at) = issue::access(&live.subject(), turn);
        Ok(issue::reply(&access.text, access_expires_at, Some(&successor), &live.subject(), turn))
    }

    /// RFC 6749 §6: "The requested scope MUST NOT include any scope not originally granted by the resource owner, and if
    /// omitted is treated as equal to the scope originally granted". What the client may no longer ask for, its grants
    /// no longer give.
    fn narrowed_scope(&self, grant: &Grant, client: &Client, turn: &Turn<'_>) -> Result<Scope, Refusal> {
        let policy = &turn.policy.scope;
        let text = self.params.value(Param::Scope).unwrap_or_default();
        let asked = Scope::parse(text).map_err(|_| Refusal::of(No::ScopeUnknown, Param::Scope))?;
        if !asked.is_within(&policy.closure(&grant.scope)) {
            return Err(Refusal::of(No::ScopeWider, Param::Scope));
        }
        let wanted = if asked.is_empty() { &grant.scope } else { &asked };
        let scope = wanted.intersection(&policy.closure(&policy.of_client(client)));
        if scope.is_empty() && !wanted.is_empty() {
            return Err(Refusal::of(No::ScopeNotAllowed, Param::Scope));
        }
        Ok(scope)
    }
}

fn live_user<'f>(held: &'f Held<Grant>, turn: &Turn<'_>) -> Result<&'f Arc<User>, No> {
    held.check(&turn.policy.dialect).map_err(|dead| match dead {
        Dead::User => No::GrantUserGone,
        Dead::Client | Dead::Grant => No::GrantRevoked,
    })?;
    held.user.as_ref().ok_or(No::GrantUserGone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Alphabet, Spelling};
    use crate::policy::GrantSpelling;
    use crate::sample::{self, World};
    use crate::turn::Entropy;
    use crate::wire::Field;
    use expect_test::expect;

    /// A client, a user and a grant whose current refresh token is presented.
    fn world() -> World {
        let mut world = World::new();
        let minted = world.mint(TokenKind::Refresh);
        world.facts.grant = Some(Held {
            row: Grant {
                id: GrantId(minted.id),
                user: sample::user().key,
                client: sample::client().key,
                scope: Scope::of(["profile", "links:write"]),
                audience: vec![],
                auth_time: UnixTime(900),
                created_at: UnixTime(900),
                expires_at: UnixTime(9000),
                refresh: Some(Refresh {
                    current: minted.digest,
                    previous: None,
                    answer: None,
                    idle_until: UnixTime(9000),
                }),
                is_revoked: false,
            },
            client: world.facts.client.clone(),
            user: Some(Arc::new(sample::user())),
            is_grant_revoked: false,
        });
        world.send(Param::GrantType, "refresh_token");
        world.send(Param::RefreshToken, minted.text.reveal());
        world
    }

    fn text(reply: &Reply, field: Field) -> String {
        reply.fields.value(field).unwrap().as_str().unwrap().to_owned()
    }

    /// Carries the rotation that a turn decided over into the facts of the next.
    fn commit(world: &mut World, changes: &[Change]) {
        let to = changes.iter().find_map(|change| match change {
            Change::RotateRefresh { to, .. } => Some(to.clone()),
            _ => None,
        });
        world.facts.grant.as_mut().unwrap().row.refresh = to;
    }

    #[test]
    fn the_current_token_is_rotated() {
        world().check_token(&expect![[r#"
            token {"access_token": String("…"), "expires_in": Number(3600), "expires_at": Number(4600), "refresh_token": String("…"), "scope": String("profile links:write")}
            Rely, Rely, PutAccess, RotateRefresh
        "#]]);
    }

    #[test]
    fn a_rotated_token_keeps_the_form_of_the_one_that_was_sent() {
        let mut world = world();
        let form = |prefix: &str| Spelling { prefix: prefix.into(), alphabet: Alphabet::Hex };
        let (access, refresh) = (form("at_google_"), form("rt_google_"));
        let spelled = GrantSpelling { grant: GrantType::Assertion, access, refresh: refresh.clone() };
        world.policy.spelled.push(spelled);
        let forms = |reply: &Reply| {
            [text(reply, Field::AccessToken), text(reply, Field::RefreshToken)].map(|text| text.contains("google_"))
        };
        assert_eq!(forms(&world.token().unwrap()), [false, false]);
        let id = world.facts.grant.as_ref().unwrap().row.id;
        let minted = world.keys.mint_for(id.0, TokenKind::Refresh, &refresh, &mut Entropy::seeded([6; 32], 1));
        world.facts.grant.as_mut().unwrap().row.refresh.as_mut().unwrap().current = minted.digest;
        world.send(Param::RefreshToken, minted.text.reveal());
        let (reply, changes) = world.token_with_changes();
        assert_eq!(forms(&reply.unwrap()), [true, true]);
        commit(&mut world, &changes);
        // Also when the same answer is given again, and when only its successor is.
        assert_eq!(forms(&world.token().unwrap()), [true, true]);
        world.now = UnixTime(5000);
        assert_eq!(forms(&world.token().unwrap()), [true, true]);
    }

    #[test]
    fn a_retry_after_a_lost_answer_gets_the_same_answer() {
        let mut world = world();
        let (first, changes) = world.token_with_changes();
        commit(&mut world, &changes);
        let (second, changes) = world.token_with_changes();
        // Told only once a failover could not take it back.
        assert_eq!((first.unwrap(), changes), (second.unwrap(), vec![Change::Settle]));
    }

    #[test]
    fn a_late_retry_gets_the_same_successor_and_a_fresh_access_token() {
        let mut world = world();
        let (first, changes) = world.token_with_changes();
        commit(&mut world, &changes);
        world.now = UnixTime(5000);
        let (second, changes) = world.token_with_changes();
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(text(&first, Field::RefreshToken), text(&second, Field::RefreshToken));
        assert_ne!(text(&first, Field::AccessToken), text(&second, Field::AccessToken));
        assert!(changes.contains(&Change::Rely(Rely::Grant(world.facts.grant.as_ref().unwrap().row.id))));
    }

    #[test]
    fn a_token_from_before_the_previous_one_ends_the_grant_rfc_9700_4_14_2() {
        let mut world = world();
        let oldest = world.sent(Param::RefreshToken);
        for _ in 0..2 {
            let (reply, changes) = world.token_with_changes();
            commit(&mut world, &changes);
            world.send(Param::RefreshToken, &text(&reply.unwrap(), Field::RefreshToken));
        }
        world.send(Param::RefreshToken, &oldest);
        world.check_token(&expect![[r#"
            no RefreshReplayed
            RevokeGrant, Note refresh_replayed
        "#]]);
    }

    #[test]
    fn a_reusable_token_stays_the_same() {
        let mut world = world();
        world.facts.client = Some(Arc::new(Client { refresh: RefreshMode::Reuse, ..sample::client() }));
        let (reply, changes) = world.token_with_changes();
        assert_eq!(text(&reply.unwrap(), Field::RefreshToken), world.sent(Param::RefreshToken));
        assert!(
            changes.iter().any(|change| matches!(change, Change::RotateRefresh { to, .. } if to.previous.is_none()))
        );
    }

    #[test]
    fn a_public_client_always_rotates_rfc_9700_2_2_2() {
        let mut world = world();
        let client = Client { refresh: RefreshMode::Reuse, ..sample::public_client() };
        let client = Arc::new(Client { key: sample::client().key, client_id: "web".into(), ..client });
        world.facts.client = Some(Arc::clone(&client));
        world.facts.grant.as_mut().unwrap().client = Some(client);
        world.unsend(Param::ClientSecret);
        let reply = world.token().unwrap();
        assert_ne!(text(&reply, Field::RefreshToken), world.sent(Param::RefreshToken));
    }

    #[test]
    fn a_client_that_lost_the_grant_gets_no_answer_again_either() {
        let mut world = world();
        let (_, changes) = world.token_with_changes();
        commit(&mut world, &changes);
        world.facts.client = Some(Arc::new(Client { refresh: RefreshMode::None, ..sample::client() }));
        assert_eq!(world.token().unwrap_err().no, No::GrantTypeNotAllowed);
    }

    #[test]
    fn what_was_taken_from_the_client_is_gone_from_its_grants() {
        let mut world = world();
        world.facts.client = Some(Arc::new(Client { scope: Scope::of(["profile"]), ..sample::client() }));
        assert_eq!(text(&world.token().unwrap(), Field::Scope), "profile");
        world.facts.client = Some(Arc::new(Client { scope: Scope::of(["email"]), ..sample::client() }));
        assert_eq!(world.token().unwrap_err().no, No::ScopeNotAllowed);
        world.facts.client = Some(Arc::new(sample::client()));
        world.facts.grant.as_mut().unwrap().row.audience = vec!["https://gone.example/".into()];
        assert_eq!(world.token().unwrap_err().no, No::ResourceNotGranted);
    }

    #[test]
    fn a_narrower_scope_is_given_and_a_wider_one_refused_rfc_6749_6() {
        let mut narrower = world();
        narrower.send(Param::Scope, "links:read");
        assert_eq!(text(&narrower.token().unwrap(), Field::Scope), "links:read");
        let mut wider = world();
        wider.send(Param::Scope, "profile email");
        wider.check_token(&expect![[r#"
            no ScopeWider

        "#]]);
    }

    #[test]
    fn a_token_of_another_client_is_refused_and_nothing_is_revoked_rfc_6749_6() {
        let mut world = world();
        world.facts.grant.as_mut().unwrap().row.client = crate::model::ClientKey(77);
        world.check_token(&expect![[r#"
            no RefreshOfOtherClient

        "#]]);
    }

    #[test]
    fn idle_tokens_revoked_grants_and_gone_users_are_refused() {
        let mut idle = world();
        idle.now = UnixTime(9000);
        assert_eq!(idle.token().unwrap_err().no, No::RefreshExpired);
        let mut revoked = world();
        revoked.facts.grant.as_mut().unwrap().is_grant_revoked = true;
        assert_eq!(revoked.token().unwrap_err().no, No::GrantRevoked);
        let mut gone = world();
        gone.facts.grant.as_mut().unwrap().user = None;
        assert_eq!(gone.token().unwrap_err().no, No::GrantUserGone);
        let mut everywhere = world();
        let user = User { revoked_below: i64::MAX, ..sample::user() };
        everywhere.facts.grant.as_mut().unwrap().user = Some(Arc::new(user));
        assert_eq!(everywhere.token().unwrap_err().no, No::GrantUserGone);
    }

    #[test]
    fn a_grant_ends_absolutely_however_much_it_is_used() {
        let mut world = world();
        world.policy.refresh_absolute_ttl_s = Some(600);
        let (_, changes) = world.token_with_changes();
        let until = changes.iter().find_map(|change| match change {
            Change::RotateRefresh { to, .. } => Some(to.idle_until),
            _ => None,
        });
        assert_eq!(until, Some(UnixTime(1500)));
    }
}
