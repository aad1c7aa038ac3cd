//! The authorization code grant, RFC 6749 §4.1.3, with PKCE, RFC 7636.

use std::sync::Arc;

use crate::crypto::keys::{Keys, Presented, TokenKind};
use crate::line::Reply;
use crate::line::{Facts, Key, Turn, Wants, Write};
use crate::liveness::Dead;
use crate::model::{Client, Code, CodeId, EventKind, GrantType, WithOwners};
use crate::pkce;
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::token::issue::{self, NewGrant};
use crate::wire::{Param, Params};

#[derive(Debug)]
pub(crate) struct Request {
    /// `None` if the text is no authorization code of this server.
    code: Option<Presented>,
    params: Params,
}

impl Request {
    pub(super) fn parse(params: Params, policy: &Policy, keys: &Keys) -> Result<Self, Refusal> {
        let text = params.value(Param::Code).ok_or(Refusal::of(No::ParameterMissing, Param::Code))?;
        let code = keys.read(TokenKind::Code, &policy.code.spelling, text);
        Ok(Self { code, params })
    }

    pub(super) fn want(&self, wants: &mut Wants) {
        if let Some(code) = self.code {
            wants.add(Key::Code(CodeId(code.id)));
        }
    }

    pub(super) fn decide(&self, client: &Arc<Client>, facts: &Facts, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        let held = self.find(client, facts)?;
        let code = &held.row;
        self.check_redirect_uri(code)?;
        pkce::verify(code.challenge, self.params.value(Param::CodeVerifier))?;
        if code.is_spent {
            // RFC 6749 §4.1.2: "If an authorization code is used more than once, the authorization server MUST deny the
            // request and SHOULD revoke (when possible) all tokens previously issued based on that authorization code."
            // It comes after redirect URI and verifier: only who could have redeemed the code can end its grant.
            if !held.is_grant_revoked {
                turn.write(Write::RevokeGrant(code.grant));
                turn.note(EventKind::CodeReplayed, Some(code.authorization.user), Some(code.authorization.client), "");
            }
            return Err(No::CodeReplayed.into());
        }
        if turn.now.is_past(code.expires_at) {
            return Err(No::CodeExpired.into());
        }
        held.check(&turn.policy.dialect).map_err(|dead| match dead {
            Dead::User => No::GrantUserGone,
            Dead::Client | Dead::Grant => No::GrantRevoked,
        })?;
        let user = held.user.as_ref().ok_or(No::GrantUserGone)?;
        let authorization = &code.authorization;
        let access_audience = issue::narrowed_resources(&self.params, &authorization.permission.audience, turn)?;
        turn.write(Write::SpendCode(code.id));
        let mut authorization = authorization.clone();
        // A code that an older version issued does not say which grant type it is for.
        authorization.circumstances.first_grant = Some(GrantType::AuthorizationCode);
        Ok(issue::begin(NewGrant { id: code.grant, client, user, authorization, access_audience }, turn))
    }

    /// RFC 6749 §4.1.3: the server MUST "ensure that the authorization code was issued to the authenticated confidential
    /// client, or if the client is public, ensure that the code was issued to "client_id" in the request".
    fn find<'f>(&self, client: &Client, facts: &'f Facts) -> Result<&'f WithOwners<Code>, No> {
        let held = self.code.and_then(|presented| facts.code(presented)).ok_or(No::CodeUnknown)?;
        if held.row.authorization.client == client.key { Ok(held) } else { Err(No::CodeOfOtherClient) }
    }

    /// RFC 6749 §4.1.3: "ensure that the "redirect_uri" parameter is present if the "redirect_uri" parameter was included
    /// in the initial authorization request […], and if included ensure that their values are identical."
    fn check_redirect_uri(&self, code: &Code) -> Result<(), Refusal> {
        match self.params.value(Param::RedirectUri) {
            Some(named) if named == code.redirect_uri => Ok(()),
            None if !code.is_redirect_uri_named || self.params.is_redirect_uri_assumed => Ok(()),
            None => Err(Refusal::of(No::RedirectUriNotRepeated, Param::RedirectUri)),
            Some(_) => Err(Refusal::of(No::RedirectUriMismatch, Param::RedirectUri)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Authorization, Circumstances, Permission, SessionId};
    use crate::sample::{self, World};
    use crate::scope::Scope;
    use crate::time::UnixTime;
    use expect_test::expect;

    /// A world with a client, a user, an unspent code with a PKCE challenge, and the request that redeems the code.
    fn world() -> World {
        let mut world = World::new();
        let minted = world.mint(TokenKind::Code);
        world.facts.code = Some(WithOwners {
            row: Code {
                id: CodeId(minted.id),
                digest: minted.digest,
                grant: crate::model::GrantId(900),
                authorization: Authorization {
                    permission: Permission {
                        scope: Scope::of(["profile"]),
                        audience: vec!["https://api.example/".into(), "https://files.example/".into()],
                    },
                    ..sample::authorization()
                },
                redirect_uri: "https://app.example/cb".into(),
                is_redirect_uri_named: true,
                challenge: Some(sample::challenge()),
                issued_at: UnixTime(990),
                expires_at: UnixTime(1050),
                is_spent: false,
            },
            client: world.facts.client.clone(),
            user: Some(Arc::new(sample::user())),
            is_grant_revoked: false,
        });
        world.send(Param::GrantType, "authorization_code");
        world.send(Param::Code, minted.text.reveal());
        world.send(Param::RedirectUri, "https://app.example/cb");
        world.send(Param::CodeVerifier, sample::VERIFIER);
        world
    }

    fn code(world: &mut World) -> &mut Code {
        &mut world.facts.code.as_mut().unwrap().row
    }

    #[test]
    fn a_code_becomes_a_grant_with_an_access_and_a_refresh_token() {
        world().check_token(&expect![[r#"
            token {"access_token": String("…"), "expires_in": Number(3600), "expires_at": Number(4600), "refresh_token": String("…"), "scope": String("profile")}
            Rely, Rely, SpendCode, PutAccess, PutGrant, Note grant_begun
        "#]]);
    }

    #[test]
    fn a_replayed_code_is_refused_and_revokes_its_grant_rfc_6749_4_1_2() {
        let mut world = world();
        code(&mut world).is_spent = true;
        world.check_token(&expect![[r#"
            no CodeReplayed
            RevokeGrant, Note code_replayed
        "#]]);
    }

    #[test]
    fn a_replay_without_the_verifier_cannot_end_the_grant() {
        let mut world = world();
        code(&mut world).is_spent = true;
        world.unsend(Param::CodeVerifier);
        world.check_token(&expect![[r#"
            no VerifierMissing

        "#]]);
    }

    #[test]
    fn a_code_of_another_client_is_refused_and_stays_unspent_rfc_6749_4_1_3() {
        let mut world = world();
        code(&mut world).authorization.client = crate::model::ClientKey(77);
        world.check_token(&expect![[r#"
            no CodeOfOtherClient

        "#]]);
    }

    #[test]
    fn an_expired_code_is_refused() {
        let mut world = world();
        code(&mut world).expires_at = UnixTime(1000);
        world.check_token(&expect![[r#"
            no CodeExpired

        "#]]);
    }

    #[test]
    fn a_missing_or_other_redirect_uri_is_refused_rfc_6749_4_1_3() {
        let mut missing = world();
        missing.unsend(Param::RedirectUri);
        missing.check_token(&expect![[r#"
            no RedirectUriNotRepeated

        "#]]);
        let mut unneeded = world();
        unneeded.unsend(Param::RedirectUri);
        code(&mut unneeded).is_redirect_uri_named = false;
        assert!(unneeded.token().is_ok());
    }

    #[test]
    fn a_surface_that_waives_the_redirect_uri_still_refuses_a_wrong_one() {
        let mut world = world();
        world.is_redirect_uri_assumed = true;
        world.send(Param::RedirectUri, "https://app.example/other");
        world.check_token(&expect![[r#"
            no RedirectUriMismatch

        "#]]);
        world.unsend(Param::RedirectUri);
        assert!(world.token().is_ok());
    }

    #[test]
    fn a_user_who_was_disabled_meanwhile_gets_nothing() {
        let mut world = world();
        let held = world.facts.code.as_mut().unwrap();
        held.user = Some(Arc::new(crate::model::User { is_disabled: true, ..sample::user() }));
        world.check_token(&expect![[r#"
            no GrantUserGone

        "#]]);
    }

    #[test]
    fn an_access_token_can_be_for_fewer_resources_than_its_grant_rfc_8707_2_2() {
        let mut world = world();
        world.send(Param::Resource, "https://files.example/");
        let (_, changes) = world.token_with_changes();
        let access = changes.writes.iter().find_map(|change| match change {
            Write::PutAccess(access) => Some(access.permission.audience.clone()),
            _ => None,
        });
        let grant = changes.writes.iter().find_map(|change| match change {
            Write::PutGrant(grant) => Some(grant.authorization.permission.audience.len()),
            _ => None,
        });
        assert_eq!((access, grant), (Some(vec!["https://files.example/".to_owned()]), Some(2)));
    }

    /// A node of an older or a newer version may have issued the code.
    #[test]
    fn the_grant_keeps_all_that_is_known_of_the_authorization_and_says_how_it_began() {
        let mut world = world();
        let newer = serde_json::from_str(r#"{"first_grant":"device_code","nonce":"n-0S6"}"#).unwrap();
        for rest in [serde_json::Map::new(), newer] {
            let known = Circumstances { session: Some(SessionId(7)), rest, ..Circumstances::default() };
            code(&mut world).authorization.circumstances = known.clone();
            let expected = Authorization {
                circumstances: Circumstances { first_grant: Some(GrantType::AuthorizationCode), ..known },
                ..code(&mut world).authorization.clone()
            };
            let (_, changes) = world.token_with_changes();
            let grant = changes.writes.iter().find_map(|change| match change {
                Write::PutGrant(grant) => Some(&grant.authorization),
                _ => None,
            });
            assert_eq!(grant, Some(&expected));
        }
    }

    #[test]
    fn a_grant_for_every_resource_is_narrowed_by_naming_one_rfc_8707_2_2() {
        let mut world = world();
        code(&mut world).authorization.permission.audience = vec![];
        world.send(Param::Resource, "https://files.example/");
        assert!(world.token().is_ok());
        world.send(Param::Resource, "https://unknown.example/");
        assert_eq!(world.token().unwrap_err().no, No::ResourceNotGranted);
    }

    #[test]
    fn a_resource_outside_the_grant_is_refused_rfc_8707_2_2() {
        let mut world = world();
        world.send(Param::Resource, "https://other.example/");
        world.check_token(&expect![[r#"
            no ResourceNotGranted

        "#]]);
    }

    #[test]
    fn a_wrong_secret_does_not_burn_the_code() {
        let mut world = world();
        world.send(Param::ClientSecret, "wrong");
        world.check_token(&expect![[r#"
            no ClientSecretWrong
            CountFailure, CountFailure, Note client_auth_failed
        "#]]);
    }
}
