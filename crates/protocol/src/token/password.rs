//! The resource owner password credentials grant, RFC 6749 §4.3. RFC 9700 §2.4 forbids it, so a surface needs a waiver
//! to have it. Lockout, second factor and disabled accounts apply as on the sign-in page, with the same counters.
//!
//! | the password is | the account has a second factor | the code is | outcome |
//! |---|---|---|---|
//! | wrong | | | refused, counted |
//! | right | no | | tokens |
//! | right | yes | missing | a code is asked for |
//! | right | yes | wrong or used | refused, counted |
//! | right | yes | right | tokens, and the code is used up |

use std::sync::Arc;

use crate::line::Reply;
use crate::line::{AccountKey, Facts, Turn, Wants, Write};
use crate::model::{Amr, Client, EventKind, GrantType, User};
use crate::person::attempt::Attempt;
use crate::person::attempts::prove_password;
use crate::person::second_factor;
use crate::refusal::{No, Refusal};
use crate::secret::Secret;
use crate::token::issue::{self, NewGrant};
use crate::wire::{Param, Params};

#[derive(Debug)]
pub(crate) struct Request {
    username: String,
    password: Secret,
    otp: Option<Secret>,
    /// The attempt to sign in. Failures are counted by network address, because there is no browser that could be a
    /// known device.
    attempt: Attempt,
    params: Params,
}

impl Request {
    pub(super) fn parse(mut params: Params, address: &str) -> Result<Self, Refusal> {
        let mut needed = |param| params.take(param).ok_or(Refusal::of(No::ParameterMissing, param));
        let username = needed(Param::Username)?;
        let password = Secret::new(needed(Param::Password)?);
        let otp = params.take(Param::Otp).map(Secret::new);
        Ok(Self { username, password, otp, attempt: Attempt::from_address(address), params })
    }

    pub(super) fn want(&self, wants: &mut Wants) {
        wants.account([AccountKey::Login(self.username.clone())]);
        self.attempt.want(wants);
    }

    pub(super) fn decide(&self, client: &Arc<Client>, facts: &Facts, turn: &mut Turn<'_>) -> Result<Reply, Refusal> {
        let permission = issue::requested_permission(&self.params, client, turn)?;
        let user = self.proven(facts, turn)?;
        let amr = if user.totp.is_some() { vec![Amr::Pwd, Amr::Otp] } else { vec![Amr::Pwd] };
        let new = NewGrant::now((client, user), permission, amr, GrantType::Password, turn);
        Ok(issue::begin(new, turn))
    }

    /// Verifies user name, password and second factor, and returns the user. RFC 6749 §4.3.2: the server MUST "protect
    /// the endpoint against brute force attacks (e.g., using rate-limitation or generating alerts)".
    fn proven<'f>(&self, facts: &'f Facts, turn: &mut Turn<'_>) -> Result<&'f Arc<User>, Refusal> {
        let user = prove_password(&self.attempt, &self.username, &self.password, facts, turn)?;
        if user.totp.is_none() {
            turn.note(EventKind::SignedIn, Some(user.key), None, "password");
            return Ok(user);
        }
        let Some(otp) = &self.otp else {
            turn.note(EventKind::PasswordProven, Some(user.key), None, "password");
            return Err(Refusal::of(No::SecondFactorMissing, Param::Otp));
        };
        let (burnt, how) = second_factor::prove(user, otp, &self.attempt, facts, turn)?;
        turn.write(Write::PutUser(Box::new(burnt)));
        turn.note(EventKind::SignedIn, Some(user.key), None, how);
        Ok(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::entropy::Entropy;
    use crate::model::{Attempts, ClientKind, GrantType, Totp};
    use crate::sample::{self, World};
    use crate::time::UnixTime;
    use expect_test::expect;

    const SEED: &[u8] = b"12345678901234567890";

    /// A world whose surface has the password grant, with a client that may use it and the request of a user with name
    /// and password.
    fn world() -> World {
        let mut world = World::new();
        world.policy.grants.push(GrantType::Password);
        let grants = vec![GrantType::Password, GrantType::RefreshToken];
        world.facts.client = Some(Arc::new(Client { grants, ..sample::client() }));
        world.facts.login = Some(Arc::new(sample::user()));
        world.send(Param::GrantType, "password");
        world.send(Param::Username, "alice");
        world.send(Param::Password, sample::PASSWORD);
        world.send(Param::Scope, "profile");
        world
    }

    fn with_second_factor(mut world: World) -> World {
        let sealed_seed = world.keys.keep("totp", b"sub-alice", SEED, &mut Entropy::seeded([4; 32], 1));
        let totp = Totp { sealed_seed, digits: 6, last_step: 0, recovery: vec![], enabled_at: UnixTime(0) };
        world.facts.login = Some(Arc::new(User { totp: Some(totp), ..sample::user() }));
        world
    }

    #[test]
    fn name_and_password_become_tokens_rfc_6749_4_3() {
        world().check_token(&expect![[r#"
            token {"access_token": String("…"), "expires_in": Number(3600), "expires_at": Number(4600), "refresh_token": String("…"), "scope": String("profile")}
            CounterBelow, CounterBelow, CounterBelow, CounterBelow, Rely, Rely, Note signed_in, PutAccess, PutGrant, Note grant_begun
        "#]]);
    }

    #[test]
    fn a_wrong_password_and_an_unknown_name_are_told_alike_and_counted_rfc_6749_4_3_2() {
        let mut wrong = world();
        wrong.send(Param::Password, "wrong horse");
        let mut unknown = world();
        unknown.facts.login = None;
        let mut disabled = world();
        disabled.facts.login = Some(Arc::new(User { is_disabled: true, ..sample::user() }));
        for world in [wrong, unknown, disabled] {
            world.check_token(&expect![[r#"
                no CredentialsWrong
                CountFailure, CountFailure, CountFailure, CountFailure, Note sign_in_failed
            "#]]);
        }
    }

    #[test]
    fn a_shut_door_is_shut_here_as_well_and_says_how_long() {
        let mut world = world();
        let shut = Attempts { failures: world.policy.lockout.account_failures, resets_at: UnixTime(1300) };
        let keys = Attempt::from_address(sample::ADDRESS).keys(Some(sample::user().key), Some("alice"));
        world.facts.attempts = keys.into_iter().map(|key| (key, shut)).collect();
        let refusal = world.token().unwrap_err();
        assert_eq!((refusal.no, refusal.retry_after_s), (No::LockedOut, Some(300)));
    }

    #[test]
    fn a_second_factor_is_asked_for_after_a_right_password_only() {
        let mut world = with_second_factor(world());
        world.check_token(&expect![[r#"
            no SecondFactorMissing
            CounterBelow, CounterBelow, CounterBelow, CounterBelow, Note password_proven
        "#]]);
        assert_eq!(world.token().unwrap_err().param, Some(Param::Otp));
        world.send(Param::Password, "wrong horse");
        assert_eq!(world.token().unwrap_err().no, No::CredentialsWrong);
    }

    #[test]
    fn a_code_is_used_up_and_a_wrong_one_counted_rfc_6238_5_2() {
        let mut world = with_second_factor(world());
        world.now = UnixTime(59);
        world.send(Param::Otp, "287082");
        world.check_token(&expect![[r#"
            token {"access_token": String("…"), "expires_in": Number(3600), "expires_at": Number(3659), "refresh_token": String("…"), "scope": String("profile")}
            CounterBelow, CounterBelow, CounterBelow, CounterBelow, CounterBelow, CounterBelow, CounterBelow, CounterBelow, CounterBelow, Rely, PutUser, Note signed_in, PutAccess, PutGrant, Note grant_begun
        "#]]);
        world.send(Param::Otp, "287083");
        world.check_token(&expect![[r#"
            no SecondFactorWrong
            CounterBelow, CounterBelow, CounterBelow, CounterBelow, CountFailure, CountFailure, CountFailure, CountFailure, CountFailure, Note sign_in_failed
        "#]]);
    }

    #[test]
    fn a_client_without_the_grant_learns_nothing_about_passwords() {
        let mut world = world();
        world.facts.client = Some(Arc::new(sample::client()));
        assert_eq!(world.token().unwrap_err().no, No::GrantTypeNotAllowed);
    }

    #[test]
    fn a_public_client_may_have_the_grant() {
        let mut world = world();
        let grants = vec![GrantType::Password];
        world.facts.client = Some(Arc::new(Client { grants, kind: ClientKind::Public, ..sample::public_client() }));
        world.unsend(Param::ClientSecret);
        assert!(world.token().is_ok());
    }
}
