//! Token revocation, RFC 7009: a client ends a token that it no longer needs.

use crate::client::authenticate::Credentials;
use crate::crypto::keys::Keys;
use crate::line::{Call, Reply};
use crate::line::{Facts, Turn, Wants, Write};
use crate::model::{Authorization, Client, ClientKey, EventKind, WithOwners};
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::resource::any_token::AnyToken;
use crate::wire::{Fields, Param, Params, ReplyKind};

/// A request to revoke a token.
#[derive(Debug)]
pub struct RevokeRequest {
    credentials: Option<Credentials>,
    token: AnyToken,
}

impl RevokeRequest {
    /// Parses a revocation request.
    ///
    /// # Errors
    /// The parameter `token` is missing, or the surface requires client credentials and there are none.
    pub fn parse(mut params: Params, policy: &Policy, keys: &Keys) -> Result<Self, Refusal> {
        let credentials = if policy.is_revocation_open { None } else { Some(Credentials::parse(&mut params)?) };
        let text = params.take(Param::Token).ok_or(Refusal::of(No::ParameterMissing, Param::Token))?;
        Ok(Self { credentials, token: AnyToken::read(&text, policy, keys) })
    }
}

impl Call for RevokeRequest {
    type Yes = Reply;

    fn wants(&self) -> Wants {
        self.token.wants(self.credentials.as_ref())
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        let caller = match &self.credentials {
            Some(credentials) => Some(&**credentials.verify(facts, turn)?),
            None => None,
        };
        let is_done_already = match self.token {
            AnyToken::Access(presented) => {
                let held = facts.access(presented).filter(|held| is_of_surface(held, turn));
                if let Some(held) = held {
                    check_owner(caller, held.row.client)?;
                    turn.write(Write::RevokeAccess(held.row.id));
                    turn.note(EventKind::TokenRevoked, held.row.user, Some(held.row.client), "access_token");
                }
                held.is_none()
            }
            AnyToken::Refresh(presented) => {
                // Any refresh token of the grant is enough, also one that was rotated: the client wants the grant to
                // end.
                let held = facts.grant(presented).map(|(held, _)| held);
                let held = held.filter(|held| !held.is_grant_revoked && is_of_surface(held, turn));
                if let Some(held) = held {
                    let Authorization { user, client, .. } = held.row.authorization;
                    check_owner(caller, client)?;
                    // RFC 7009 §2.1: "If the particular token is a refresh token and the authorization server supports
                    // the revocation of access tokens, then the authorization server SHOULD also invalidate all access
                    // tokens based on the same authorization grant".
                    turn.write(Write::RevokeGrant(held.row.id));
                    turn.note(EventKind::TokenRevoked, Some(user), Some(client), "refresh_token");
                }
                held.is_none()
            }
            AnyToken::Personal(presented) => {
                let held = facts.personal(presented).filter(|held| held.row.dialect == turn.policy.dialect);
                // A personal access token was issued to no client. Clients that may learn about it may also end it. To
                // all other clients it looks like a token that does not exist.
                let may_end = caller.is_none_or(|caller| caller.may_learn_of(None, &[]));
                let held = held.filter(|_| may_end);
                if let Some(held) = held {
                    turn.write(Write::RevokePersonal(held.row.id));
                    turn.note(EventKind::PersonalRevoked, Some(held.row.user), None, held.row.name.clone());
                }
                held.is_none()
            }
            AnyToken::Foreign => false,
        };
        if is_done_already {
            // The same client may have revoked the token a moment ago without getting an answer. That write must be
            // durable before this request is answered.
            turn.write(Write::AwaitDurability);
        }
        // RFC 7009 §2.2: "The authorization server responds with HTTP status code 200 if the token has been revoked
        // successfully or if the client submitted an invalid token."
        Ok(Reply::new(ReplyKind::Revoke, Fields::new()))
    }

    fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

/// Returns true if the token's client belongs to this surface. Tokens of other surfaces are unknown here, even where
/// anyone may revoke. A token whose client was removed is already invalid.
fn is_of_surface<T>(held: &WithOwners<T>, turn: &Turn<'_>) -> bool {
    held.client.as_ref().is_some_and(|client| client.dialect == turn.policy.dialect)
}

/// Checks that the token was issued to the caller. RFC 7009 §2.1: the server "verifies whether the token was issued to
/// the client making the revocation request. If this validation fails, the request is refused and the client is
/// informed of the error".
fn check_owner(caller: Option<&Client>, owner: ClientKey) -> Result<(), No> {
    if caller.is_none_or(|caller| caller.key == owner) { Ok(()) } else { Err(No::TokenOfOtherClient) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::TokenKind;
    use crate::model::{Access, AccessId, GrantId, Permission, Personal, PersonalId};
    use crate::sample::{self, World};
    use crate::scope::Scope;
    use crate::time::UnixTime;
    use expect_test::{Expect, expect};

    fn world() -> World {
        let mut world = World::new();
        let minted = world.mint(TokenKind::Access);
        world.facts.access = Some(WithOwners {
            row: Access {
                id: AccessId(minted.id),
                digest: minted.digest,
                client: sample::client().key,
                user: None,
                grant: Some(GrantId(9)),
                permission: Permission::default(),
                issued_at: UnixTime(900),
                expires_at: UnixTime(2000),
            },
            client: world.facts.client.clone(),
            user: None,
            is_grant_revoked: false,
        });
        world.send(Param::Token, minted.text.reveal());
        world
    }

    #[test]
    fn a_token_of_another_surface_stays_also_where_anybody_may_revoke() {
        let mut world = world();
        world.policy.is_revocation_open = true;
        let other = crate::model::Client { dialect: "paced".into(), ..sample::client() };
        world.facts.access.as_mut().unwrap().client = Some(std::sync::Arc::new(other));
        check(
            &world,
            &expect![[r#"
                revoke {}
                AwaitDurability
            "#]],
        );
    }

    #[test]
    fn that_a_token_is_gone_already_is_told_once_that_cannot_be_undone() {
        let mut world = world();
        world.facts.access = None;
        check(
            &world,
            &expect![[r#"
                revoke {}
                AwaitDurability
            "#]],
        );
    }

    fn check(world: &World, expected: &Expect) {
        let request = RevokeRequest::parse(world.params(), &world.policy, &world.keys).unwrap();
        let (verdict, changes) = world.judge(&request);
        expected.assert_eq(&sample::told(verdict, &changes));
    }

    #[test]
    fn a_client_revokes_its_own_token() {
        check(
            &world(),
            &expect![[r#"
            revoke {}
            RevokeAccess, Note token_revoked
        "#]],
        );
    }

    #[test]
    fn an_unknown_token_is_a_success_without_effect_rfc_7009_2_2() {
        let mut world = world();
        world.send(Param::Token, "unknown");
        check(
            &world,
            &expect![[r#"
            revoke {}

        "#]],
        );
    }

    #[test]
    fn a_personal_token_is_ended_by_those_who_may_learn_of_it_alone_rfc_7009_2_1() {
        let mut world = world();
        let minted = world.mint(TokenKind::Personal);
        world.send(Param::Token, minted.text.reveal());
        world.facts.personal = Some(WithOwners {
            row: Personal {
                id: PersonalId(minted.id),
                digest: minted.digest,
                user: sample::user().key,
                dialect: "standard".into(),
                name: "ci".into(),
                scope: Scope::default(),
                created_at: UnixTime(900),
                expires_at: UnixTime(2000),
                used_at: None,
                is_by_operator: false,
            },
            client: None,
            user: Some(std::sync::Arc::new(sample::user())),
            is_grant_revoked: false,
        });
        let revoked = expect![[r#"
            revoke {}
            RevokePersonal, Note personal_revoked
        "#]];
        check(&world, &revoked);
        let own = crate::model::Client { owner: Some(crate::model::UserKey(9)), ..sample::client() };
        world.facts.client = Some(std::sync::Arc::new(own));
        check(
            &world,
            &expect![[r#"
                revoke {}
                AwaitDurability
            "#]],
        );
        world.policy.is_revocation_open = true;
        check(&world, &revoked);
    }

    #[test]
    fn a_token_of_another_client_stays_rfc_7009_2_1() {
        let mut world = world();
        world.facts.access.as_mut().unwrap().row.client = ClientKey(77);
        check(
            &world,
            &expect![[r#"
            no TokenOfOtherClient

        "#]],
        );
    }
}
