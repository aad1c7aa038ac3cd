//! The client credentials grant, RFC 6749 §4.4: a confidential client gets an access token for itself, without a user.

use std::sync::Arc;

use crate::line::Reply;
use crate::line::Turn;
use crate::model::{Client, ClientKind, GrantType};
use crate::refusal::Refusal;
use crate::token::issue::{self, Source};
use crate::wire::Params;

#[derive(Debug)]
pub(crate) struct Request {
    params: Params,
}

impl Request {
    pub(super) fn parse(params: Params) -> Self {
        Self { params }
    }

    pub(super) fn decide(&self, client: &Arc<Client>, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        // RFC 6749 §4.4: "The client credentials grant type MUST only be used by confidential clients."
        if client.kind != ClientKind::Confidential {
            return Err(super::unallowed_grant::refusal(GrantType::ClientCredentials, client, turn));
        }
        let permission = issue::requested_permission(&self.params, client, turn)?;
        let source = Source { client, granted: None, spelled_for: Some(GrantType::ClientCredentials) };
        let scope = permission.scope.clone();
        let (minted, expires_at) = issue::access(&source, permission, turn);
        // RFC 6749 §4.4.3: "A refresh token SHOULD NOT be included."
        Ok(issue::reply((&minted.text, expires_at), None, &scope, &source, turn))
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{Client, GrantType};
    use crate::sample::{self, World};
    use crate::wire::Param;
    use expect_test::expect;
    use std::sync::Arc;

    fn world() -> World {
        let mut world = World::new();
        world.send(Param::GrantType, "client_credentials");
        world
    }

    #[test]
    fn a_confidential_client_gets_an_access_token_and_no_refresh_token_rfc_6749_4_4_3() {
        let mut world = world();
        world.send(Param::Scope, "links:read");
        world.check_token(&expect![[r#"
            token {"access_token": String("…"), "expires_in": Number(3600), "expires_at": Number(4600), "scope": String("links:read")}
            Rely, PutAccess
        "#]]);
    }

    #[test]
    fn a_scope_beyond_the_registration_is_refused() {
        let mut world = world();
        world.send(Param::Scope, "links:read admin");
        world.check_token(&expect![[r#"
            no ScopeNotAllowed

        "#]]);
    }

    #[test]
    fn without_a_scope_it_is_the_surfaces_default_within_the_registration_rfc_6749_3_3() {
        let mut world = world();
        let scope = |world: &World| world.token().unwrap().fields.value(crate::wire::Field::Scope).cloned();
        assert_eq!(scope(&world), Some("profile email links:read links:write".into()));
        world.policy.scope.default = crate::scope::Scope::of(["links:read", "admin"]);
        assert_eq!(scope(&world), Some("links:read".into()));
    }

    #[test]
    fn an_implied_scope_may_be_asked_for_by_name() {
        let mut world = world();
        world.facts.client =
            Some(Arc::new(Client { scope: crate::scope::Scope::of(["links:write"]), ..sample::client() }));
        world.send(Param::Scope, "links:read");
        assert!(world.token().is_ok());
    }

    #[test]
    fn a_public_client_is_refused_rfc_6749_4_4() {
        let mut world = world();
        world.facts.client =
            Some(Arc::new(Client { grants: vec![GrantType::ClientCredentials], ..sample::public_client() }));
        world.unsend(Param::ClientSecret);
        world.check_token(&expect![[r#"
            no GrantTypeNotAllowed

        "#]]);
    }

    #[test]
    fn an_unknown_grant_and_one_that_the_client_lacks_are_told_apart() {
        let mut unknown = world();
        unknown.send(Param::GrantType, "password");
        unknown.check_token(&expect![[r#"
            no GrantTypeUnknown

        "#]]);
        let mut lacking = world();
        lacking.facts.client = Some(Arc::new(Client { grants: vec![], ..sample::client() }));
        lacking.check_token(&expect![[r#"
            no GrantTypeNotAllowed

        "#]]);
    }
}
