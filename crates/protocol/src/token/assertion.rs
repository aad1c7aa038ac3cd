//! The assertion grant, RFC 7521 §4.1 and RFC 7523 §2.1. A client exchanges an ID token of a trusted identity provider
//! for tokens of this server. They belong to the account that the identity is linked to, by the rules of
//! [`crate::person::upstream`].
//!
//! The metadata and keys of the identity provider are outside documents ([`crate::line::Documents`]), so verification does no
//! I/O. An account with a second factor needs it here too, with the same counters. Nothing is linked before the second
//! factor is proven.
//!
//! An ID token is good for one exchange. Unlike a refresh token it cannot be presented again after a lost answer: the
//! client must send its user to the identity provider again.

use std::sync::Arc;

use crate::line::Reply;
use crate::line::{Facts, Key, Turn, Wants, Write};
use crate::model::{Amr, Client, EventKind, GrantType, User};
use crate::person::attempt::Attempt;
use crate::person::second_factor;
use crate::person::upstream::{Assertion, UnverifiedIdToken};
use crate::policy::Policy;
use crate::refusal::{No, Refusal};
use crate::secret::Secret;
use crate::token::issue::{self, NewGrant};
use crate::wire::{Param, Params};

#[derive(Debug)]
pub(crate) struct Request {
    /// The token with its issuer. A fault in it is reported only after the client is authenticated.
    assertion: Result<Assertion, No>,
    otp: Option<Secret>,
    /// The attempt at the second factor. Failures are counted by network address and by account.
    attempt: Attempt,
    params: Params,
}

impl Request {
    pub(super) fn parse(mut params: Params, policy: &Policy, address: &str) -> Result<Self, Refusal> {
        let text = params.take(Param::Assertion).ok_or(Refusal::of(No::ParameterMissing, Param::Assertion))?;
        let otp = params.take(Param::Otp).map(Secret::new);
        let assertion = UnverifiedIdToken::read(text).and_then(|token| {
            let issuer = policy.upstream.clone().ok_or(No::UpstreamAbsent)?;
            Ok(Assertion::new(token, issuer, None))
        });
        Ok(Self { assertion, otp, attempt: Attempt::from_address(address), params })
    }

    pub(super) fn want(&self, wants: &mut Wants) {
        if let Ok(assertion) = &self.assertion {
            wants.account(assertion.account().into_iter().flatten());
            wants.add(Key::UsedJti(assertion.jti()));
            self.attempt.want(wants);
        }
    }

    pub(super) fn decide(&self, client: &Arc<Client>, facts: &Facts, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        let permission = issue::requested_permission(&self.params, client, turn)?;
        let refused = |no| Refusal::of(no, Param::Assertion);
        let assertion = self.assertion.as_ref().map_err(|no| refused(*no))?;
        let found = assertion.find(facts, turn).map_err(refused)?;
        // RFC 7523 §3: "The authorization server MAY ensure that JWTs are not replayed by maintaining the set of used "jti"
        // values for the length of time for which the JWT would be considered valid". ID tokens need not have one.
        if facts.is_jti_used(assertion.jti()) {
            return Err(refused(No::AssertionReplayed));
        }
        // ◆ Of two requests with the same token, the second is judged again and finds the token used.
        let burn = Write::BurnJti { jti: assertion.jti(), until: found.ends_at() };
        let (how, amr) = match found.user() {
            Some(user) => self.check_second_factor(user, facts, turn)?,
            None => ("assertion", vec![Amr::Fed]),
        };
        turn.write(burn);
        let user = found.enter(turn);
        turn.note(EventKind::SignedIn, Some(user.key), Some(client.key), how);
        let new = NewGrant::now((client, &user), permission, amr, GrantType::Assertion, turn);
        Ok(issue::begin(new, turn))
    }

    /// Checks the second factor of an account that has one; the assertion only replaces the password. Returns how the
    /// user authenticated, for the audit event and for the grant.
    fn check_second_factor(
        &self,
        user: &Arc<User>,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<(&'static str, Vec<Amr>), Refusal> {
        if user.totp.is_none() {
            return Ok(("assertion", vec![Amr::Fed]));
        }
        let otp = self.otp.as_ref().ok_or(Refusal::of(No::SecondFactorMissing, Param::Otp))?;
        let (burnt, _) = second_factor::prove(user, otp, &self.attempt, facts, turn)?;
        turn.write(Write::PutUser(Box::new(burnt)));
        Ok(("assertion and second factor", vec![Amr::Fed, Amr::Otp]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::Entropy;
    use crate::crypto::keys::{Alphabet, Spelling};
    use crate::line::{Call, Changes, DocumentKey, Documents};
    use crate::model::{Attempts, ClientKind, GrantType, Identity, IdentityName, Totp, WithOwners};
    use crate::person::upstream::Issuer;
    use crate::person::upstream::sample::{self as issuer, claims, claims_with};
    use crate::policy::GrantSpelling;
    use crate::sample::{self, World};
    use crate::time::UnixTime;
    use crate::token::TokenRequest;
    use crate::wire::Field;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    const SEED: &[u8] = b"12345678901234567890";

    /// A world whose surface has the assertion grant with token spellings of its own, and a client that may use the
    /// grant.
    fn world(said: &Value) -> World {
        let mut world = World::new();
        world.policy.grants.push(GrantType::Assertion);
        let form = |prefix: &str| Spelling { prefix: prefix.into(), alphabet: Alphabet::Hex };
        let (access, refresh) = (form("at_google_"), form("rt_google_"));
        world.policy.spelled.push(GrantSpelling { grant: GrantType::Assertion, access, refresh });
        let grants = vec![GrantType::Assertion, GrantType::RefreshToken];
        world.facts.client = Some(Arc::new(Client { grants, ..sample::client() }));
        world.send(Param::GrantType, "assertion");
        world.send(Param::Assertion, &issuer::token(said));
        world.send(Param::Scope, "profile");
        world
    }

    fn linked(mut world: World, user: User) -> World {
        let name = IdentityName { issuer: issuer::ISSUER.into(), subject: "alice-there".into() };
        let row = Identity { name, user: user.key, linked_at: UnixTime(500) };
        let user = Some(Arc::new(user));
        world.facts.identity = Some(WithOwners { row, client: None, user, is_grant_revoked: false });
        world
    }

    fn with_second_factor(world: &World) -> User {
        let sealed_seed = world.keys.keep("totp", b"sub-alice", SEED, &mut Entropy::seeded([4; 32], 1));
        let totp = Totp { sealed_seed, digits: 6, last_step: 0, recovery: vec![], enabled_at: UnixTime(0) };
        User { totp: Some(totp), ..sample::user() }
    }

    fn request(world: &World, issuer: Option<Arc<Issuer>>) -> Result<TokenRequest, Refusal> {
        let policy = Policy { upstream: issuer, ..world.policy.clone() };
        TokenRequest::parse(world.params(), &policy, &world.keys, sample::ADDRESS)
    }

    fn judge(world: &World, issuer: Option<Arc<Issuer>>) -> (Result<Reply, Refusal>, Changes) {
        match request(world, issuer) {
            Ok(request) => world.judge(&request),
            Err(refusal) => (Err(refusal), Changes::default()),
        }
    }

    /// What the request lacks when these documents are at hand.
    fn lacks(world: &World, documents: &Documents) -> Vec<DocumentKey> {
        let request = request(world, Some(issuer::issuer())).unwrap();
        let mut turn = world.turn().with_documents(documents);
        let refusal = request.decide(&world.load(&request), &mut turn).unwrap_err();
        let lacking = turn.take_lacking();
        assert_eq!(refusal.no == No::UpstreamUnreachable, !lacking.is_empty(), "{refusal:?}");
        lacking
    }

    fn check(world: &World, expected: &Expect) {
        let (verdict, changes) = judge(world, Some(issuer::issuer()));
        expected.assert_eq(&sample::told(verdict, &changes));
    }

    fn no(world: &World) -> No {
        judge(world, Some(issuer::issuer())).0.unwrap_err().no
    }

    #[test]
    fn an_unknown_identity_gets_an_account_and_tokens_of_its_own_form() {
        let world = world(&claims_with(json!({"email": "new@example.com", "name": "New"})));
        check(
            &world,
            &expect![[r#"
                token {"access_token": String("…"), "expires_in": Number(3600), "expires_at": Number(4600), "refresh_token": String("…"), "scope": String("profile")}
                Rely, BurnJti, PutIdentity, PutUser, Note user_added, Note identity_linked, Note signed_in, PutAccess, PutGrant, Note grant_begun
            "#]],
        );
        let (verdict, changes) = judge(&world, Some(issuer::issuer()));
        let fields = verdict.unwrap().fields;
        let text = |field| fields.value(field).unwrap().as_str().unwrap().to_owned();
        assert!(
            text(Field::AccessToken).starts_with("at_google_") && text(Field::RefreshToken).starts_with("rt_google_")
        );
        let user = changes.writes.iter().find_map(|change| match change {
            Write::PutUser(user) => Some(user),
            _ => None,
        });
        let user = user.unwrap();
        assert_eq!(
            (user.email.as_deref(), user.email_verified, user.name.as_str()),
            (Some("new@example.com"), true, "New")
        );
        assert!(user.password.is_none() && user.sub.len() == 24 && user.version == 1);
    }

    #[test]
    fn a_linked_identity_is_its_account_whatever_its_address_is_now() {
        let changed = claims_with(json!({"email": "other@example.com", "email_verified": false}));
        check(
            &linked(world(&changed), sample::user()),
            &expect![[r#"
                token {"access_token": String("…"), "expires_in": Number(3600), "expires_at": Number(4600), "refresh_token": String("…"), "scope": String("profile")}
                Rely, Rely, Rely, BurnJti, Note signed_in, PutAccess, PutGrant, Note grant_begun
            "#]],
        );
    }

    #[test]
    fn a_verified_address_on_both_sides_links_the_two() {
        let mut world = world(&claims_with(json!({"email": "Alice@Example.com"})));
        world.facts.login = Some(Arc::new(sample::user()));
        check(
            &world,
            &expect![[r#"
                token {"access_token": String("…"), "expires_in": Number(3600), "expires_at": Number(4600), "refresh_token": String("…"), "scope": String("profile")}
                Rely, Rely, Rely, BurnJti, PutIdentity, Note identity_linked, Note signed_in, PutAccess, PutGrant, Note grant_begun
            "#]],
        );
    }

    /// Otherwise a person who registered the address first, without proving it, would share the account with the owner
    /// of the address.
    #[test]
    fn an_account_with_an_unverified_address_is_not_linked() {
        let mut world = world(&claims());
        let squatter = User { email_verified: false, ..sample::user() };
        let by_name = User { username: Some("alice@example.com".into()), email: None, ..sample::user() };
        for user in [squatter, by_name] {
            world.facts.login = Some(Arc::new(user));
            check(
                &world,
                &expect![[r#"
                no UpstreamEmailTaken

            "#]],
            );
        }
    }

    #[test]
    fn an_address_that_the_issuer_does_not_vouch_for_opens_nothing() {
        for changes in [json!({"email_verified": false}), json!({"email_verified": null}), json!({"email": null})] {
            let mut world = world(&claims_with(changes));
            assert_eq!(no(&world), No::UpstreamEmailUnverified);
            world.facts.login = Some(Arc::new(sample::user()));
            assert_eq!(no(&world), No::UpstreamEmailUnverified);
        }
    }

    #[test]
    fn no_account_is_made_for_an_address_that_nobody_can_have_here() {
        for email in ["alice@example.com@evil.example", "a@@b.example"] {
            assert_eq!(no(&world(&claims_with(json!({"email": email})))), No::UpstreamEmailMalformed, "{email}");
        }
        // A linked identity is its account, whatever its address is.
        let linked = linked(world(&claims_with(json!({"email": "a@b@c.example"}))), sample::user());
        assert!(judge(&linked, Some(issuer::issuer())).0.is_ok());
    }

    #[test]
    fn a_disabled_account_is_refused_by_either_way() {
        let disabled = User { is_disabled: true, ..sample::user() };
        let mut by_address = world(&claims());
        by_address.facts.login = Some(Arc::new(disabled.clone()));
        assert_eq!(no(&by_address), No::UpstreamUserDisabled);
        assert_eq!(no(&linked(world(&claims()), disabled)), No::UpstreamUserDisabled);
        let mut orphaned = linked(world(&claims()), sample::user());
        orphaned.facts.identity.as_mut().unwrap().user = None;
        assert_eq!(no(&orphaned), No::UpstreamUserDisabled);
    }

    #[test]
    fn a_second_factor_is_asked_for_and_nothing_is_linked_before_it_is_right() {
        let mut world = world(&claims_with(json!({"iat": 0, "exp": 900})));
        world.now = UnixTime(59);
        world.facts.login = Some(Arc::new(with_second_factor(&world)));
        check(
            &world,
            &expect![[r#"
            no SecondFactorMissing

        "#]],
        );
        world.send(Param::Otp, "287083");
        check(
            &world,
            &expect![[r#"
                no SecondFactorWrong
                CountFailure, CountFailure, CountFailure, CountFailure, CountFailure, Note sign_in_failed
            "#]],
        );
        world.send(Param::Otp, "287082");
        check(
            &world,
            &expect![[r#"
                token {"access_token": String("…"), "expires_in": Number(3600), "expires_at": Number(3659), "refresh_token": String("…"), "scope": String("profile")}
                CounterBelow, CounterBelow, CounterBelow, CounterBelow, CounterBelow, Rely, PutUser, BurnJti, PutIdentity, Note identity_linked, Note signed_in, PutAccess, PutGrant, Note grant_begun
            "#]],
        );
        let shut = Attempts { failures: world.policy.lockout.account_failures, resets_at: UnixTime(1300) };
        let keys = Attempt::from_address(sample::ADDRESS).keys(Some(sample::user().key), None);
        world.facts.attempts = keys.into_iter().map(|key| (key, shut)).collect();
        assert_eq!(no(&world), No::LockedOut);
    }

    /// RFC 7521 §4.1: "If an assertion is not valid or has expired, the authorization server constructs an error response […]
    /// The value of the "error" parameter MUST be the "invalid_grant" error code."
    #[test]
    fn an_assertion_that_is_not_valid_is_an_invalid_grant_rfc_7521_4_1() {
        for (said, expected) in [
            (claims_with(json!({"exp": 900})), No::AssertionExpired),
            (claims_with(json!({"aud": "other"})), No::AssertionForOther),
            (claims_with(json!({"iss": "https://evil.example"})), No::AssertionOfOtherIssuer),
        ] {
            let (verdict, changes) = judge(&linked(world(&said), sample::user()), Some(issuer::issuer()));
            let refusal = verdict.unwrap_err();
            assert_eq!((refusal.no, refusal.param, changes), (expected, Some(Param::Assertion), Changes::default()));
            assert_eq!(refusal.row().kind, crate::refusal::ErrorKind::InvalidGrant);
        }
        let mut nonsense = world(&claims());
        nonsense.send(Param::Assertion, "a.b.c");
        assert_eq!(no(&nonsense), No::AssertionMalformed);
        nonsense.unsend(Param::Assertion);
        assert_eq!(no(&nonsense), No::ParameterMissing);
    }

    /// RFC 7523 §3: JWTs "are not replayed".
    #[test]
    fn a_token_is_exchanged_once_and_remembered_until_it_is_too_old_rfc_7523_3() {
        let mut world = linked(world(&claims()), sample::user());
        let burned = |world: &World| {
            let (verdict, changes) = judge(world, Some(issuer::issuer()));
            let burn = |change: &Write| match change {
                Write::BurnJti { jti, until } => Some((*jti, *until)),
                _ => None,
            };
            (verdict.is_ok(), changes.writes.iter().find_map(burn))
        };
        let (is_ok, burn) = burned(&world);
        // `exp` is 1990, and clocks may differ by 30 seconds.
        assert_eq!((is_ok, burn.map(|(_, until)| until)), (true, Some(UnixTime(2020))));
        world.facts.is_jti_used = true;
        check(
            &world,
            &expect![[r#"
            no AssertionReplayed

        "#]],
        );
        let other = linked(self::world(&claims_with(json!({"jti": "another"}))), sample::user());
        assert_ne!(burned(&other).1, burn, "a token that says something else is another token");
        // A token with a wrong signature is not even reported as used.
        let mut forged = world.sent(Param::Assertion);
        forged.truncate(forged.len() - 4);
        world.send(Param::Assertion, &forged);
        assert_eq!(no(&world), No::AssertionForged);
    }

    #[test]
    fn a_token_that_lives_for_long_is_remembered_for_as_long_as_it_is_taken() {
        let world = linked(world(&claims_with(json!({"exp": 9_000_000}))), sample::user());
        let changes = judge(&world, Some(issuer::issuer())).1;
        let until = UnixTime(990 + 24 * 60 * 60);
        assert!(
            changes.writes.iter().any(|change| matches!(change, Write::BurnJti { until: own, .. } if *own == until))
        );
    }

    #[test]
    fn the_client_comes_first_and_an_absent_issuer_after_it() {
        let mut world = world(&claims());
        assert_eq!(judge(&world, None).0.unwrap_err().no, No::UpstreamAbsent);
        world.documents = Documents::default();
        assert_eq!(no(&world), No::UpstreamUnreachable);
        world.send(Param::ClientSecret, "wrong");
        assert_eq!(judge(&world, None).0.unwrap_err().no, No::ClientSecretWrong);
        assert_eq!(no(&world), No::ClientSecretWrong);
        let mut other = self::world(&claims());
        other.facts.client = Some(Arc::new(sample::client()));
        assert_eq!(no(&other), No::GrantTypeNotAllowed);
        let mut elsewhere = self::world(&claims());
        elsewhere.policy.grants.pop();
        assert_eq!(no(&elsewhere), No::GrantTypeUnknown);
    }

    #[test]
    fn a_request_that_nobody_trusted_an_issuer_for_is_refused() {
        let mut world = world(&claims());
        assert_eq!(world.token().unwrap_err().no, No::UpstreamAbsent);
        world.send(Param::Assertion, "nonsense");
        assert_eq!(world.token().unwrap_err().no, No::AssertionMalformed);
    }

    #[test]
    fn a_public_client_may_have_the_grant() {
        let mut world = linked(world(&claims()), sample::user());
        let grants = vec![GrantType::Assertion];
        world.facts.client = Some(Arc::new(Client { grants, kind: ClientKind::Public, ..sample::public_client() }));
        world.unsend(Param::ClientSecret);
        assert!(judge(&world, Some(issuer::issuer())).0.is_ok());
    }

    #[test]
    fn the_rows_are_wanted_by_what_the_token_says_itself() {
        let world = world(&claims());
        let wants = request(&world, None).unwrap().wants();
        assert_eq!(wants, Wants::of([Key::Client("web".to_owned())]));
        let wants = request(&world, Some(issuer::issuer())).unwrap().wants();
        let name = IdentityName { issuer: issuer::ISSUER.to_owned(), subject: "alice-there".to_owned() };
        assert!(wants.keys().contains(&Key::Identity(name)));
        assert!(wants.keys().contains(&Key::Login("alice@example.com".to_owned())));
        let token = UnverifiedIdToken::read(world.sent(Param::Assertion)).unwrap();
        assert!(wants.keys().contains(&Key::UsedJti(token.digest())));
    }

    #[test]
    fn the_issuer_s_metadata_are_lacked_first_and_then_the_key_that_the_token_names() {
        let mut world = world(&claims());
        let metadata = DocumentKey::ProviderMetadata { issuer: issuer::ISSUER.into() };
        assert_eq!(lacks(&world, &Documents::default()), [metadata]);
        let mut documents = Documents::default();
        issuer::add_metadata(&mut documents);
        let keys = DocumentKey::KeySet { url: issuer::KEYS.into(), kid: Some("ed".into()) };
        assert_eq!(lacks(&world, &documents), std::slice::from_ref(&keys));
        documents.add(keys, None);
        world.documents = documents;
        assert_eq!(no(&world), No::UpstreamUnreachable);
    }

    #[test]
    fn nothing_is_lacked_for_a_client_that_may_not_ask() {
        let none = Documents::default();
        let mut wrong = world(&claims());
        wrong.send(Param::ClientSecret, "wrong");
        let mut unknown = world(&claims());
        unknown.facts.client = None;
        let mut other_grants = world(&claims());
        other_grants.facts.client = Some(Arc::new(sample::client()));
        let mut too_much = world(&claims());
        too_much.send(Param::Scope, "unheard-of");
        let mut malformed = world(&claims());
        malformed.send(Param::Assertion, "a.b.c");
        for world in [wrong, unknown, other_grants, too_much, malformed] {
            assert_eq!(lacks(&world, &none), []);
        }
    }
}
