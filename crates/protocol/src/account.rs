//! The account pages' judge: a signed-in user views the account, changes how to sign in, ends sessions, and withdraws
//! consents. Everything except signing out needs a live session with all factors of the account.

use std::sync::Arc;

use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::line::Call;
use crate::line::{AccountKey, Facts, Key, Rely, Turn, Wants, Write};
use crate::model::{Amr, EventKind, IdentityName, SessionId, Totp, User};
use crate::names::display_name;
use crate::person::attempt::Attempt;
use crate::person::attempts::AttemptLimits;
use crate::person::browser::{Caller, Cookie, FormSeal};
use crate::person::failure::Failure;
use crate::person::sign_in::Signed;
use crate::person::{password, recovery, totp};
use crate::refusal::{No, Refusal};
use crate::secret::Secret;
use crate::wire::Param;

/// A request of a user about their own account.
#[derive(Debug)]
pub struct AccountCall {
    /// The browser that makes the request.
    pub caller: Caller,
    /// The client's network address, in the form in which failed attempts are counted.
    pub address: String,
    /// The seal of the submitted form; `None` only for [`Act::View`].
    pub seal: Option<FormSeal>,
    /// The requested action.
    pub act: Act,
}

/// The actions of the account pages.
#[derive(Clone, Debug)]
pub enum Act {
    /// View the account; changes nothing.
    View,
    /// Sign out in this browser.
    SignOut,
    /// Change the display name.
    Rename(String),
    /// Change the password, or set a first one.
    ChangePassword {
        /// The current password, ignored for an account without one. OWASP ASVS 5.0 V6.2.3.
        current: Secret,
        /// The new password.
        new: Secret,
    },
    /// Begin to enable a second factor.
    EnrolTotp,
    /// Enable the second factor, with a first code as proof that the authenticator works.
    ConfirmTotp {
        /// The shared secret, sealed by [`Done::Enrolling`].
        sealed_seed: String,
        /// The code of the authenticator.
        typed: Secret,
    },
    /// Disable the second factor.
    RemoveTotp {
        /// The current password, ignored for an account without one.
        password: Secret,
    },
    /// Replace all recovery codes.
    RenewRecovery,
    /// End one of the user's sessions, named by a [`session_reference`].
    EndSession(String),
    /// End all of the user's sessions except the one that asks.
    EndOtherSessions,
    /// Remove the link to an account at an upstream identity provider.
    Unlink(IdentityName),
    /// Withdraw the consent for an application, by its `client_id`.
    Disconnect(String),
}

/// The outcome of a request about an account.
#[derive(Debug)]
pub struct Account {
    /// The user, after the change.
    pub user: Arc<User>,
    /// The session that is live after the change.
    pub session: SessionId,
    /// The result.
    pub done: Done,
    /// The change to the session cookie.
    pub cookie: Cookie,
}

/// The result.
#[derive(Debug)]
pub enum Done {
    /// Nothing changed.
    Viewed,
    /// The change was made.
    Changed,
    /// A shared secret for an authenticator, which a first code must confirm.
    Enrolling {
        /// The shared secret in base32, for typing.
        base32: Secret,
        /// The `otpauth://` URI for a QR code.
        uri: Secret,
        /// The sealed shared secret for [`Act::ConfirmTotp`].
        sealed_seed: String,
    },
    /// New recovery codes, which are shown only now.
    Recovery(Vec<Secret>),
    /// The session has ended.
    SignedOut,
}

/// Returns the text by which a page names a session without revealing the id of its row.
#[must_use]
pub fn session_reference(id: SessionId, user: &User, keys: &Keys, entropy: &mut Entropy) -> String {
    keys.seal("session", user.sub.as_bytes(), &id.0.to_be_bytes(), entropy)
}

impl Call for AccountCall {
    type Yes = Account;

    fn wants(&self) -> Wants {
        let mut wants = Wants::default();
        wants.account(self.caller.session.map(|own| AccountKey::Session(SessionId(own.id))));
        match &self.act {
            Act::Disconnect(client_id) => wants.add(Key::Client(client_id.clone())),
            Act::Unlink(name) => {
                wants.add(Key::Identity(name.clone()));
                wants.add(Key::OwnedCounts);
            }
            _ => {}
        }
        if self.is_password_compared() {
            self.attempt().want(&mut wants);
        }
        wants
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<Account, Refusal> {
        let signed = Signed::find(&self.caller, facts, turn).ok_or(No::SignInNeeded)?;
        match &self.seal {
            Some(seal) => seal.check(&self.caller.browser, Some(signed.user.key))?,
            None if matches!(self.act, Act::View) => {}
            None => return Err(No::PageStale.into()),
        }
        if let Act::SignOut = self.act {
            turn.write(Write::EndSession(signed.session.id));
            turn.note(EventKind::SignedOut, Some(signed.user.key), None, "");
            return Ok(Account { cookie: Cookie::Clear, ..done(&signed, Done::SignedOut) });
        }
        if signed.lacks_second_factor() {
            return Err(No::SignInNeeded.into());
        }
        match &self.act {
            Act::View => Ok(done(&signed, Done::Viewed)),
            Act::SignOut => unreachable!("answered above"),
            Act::Rename(name) => rename(&signed, name, turn),
            Act::ChangePassword { current, new } => self.change_password(&signed, current, new, facts, turn),
            Act::EnrolTotp => enrol_totp(&signed, turn),
            Act::ConfirmTotp { sealed_seed, typed } => confirm_totp(&signed, sealed_seed, typed, turn),
            Act::RemoveTotp { password } => self.remove_totp(&signed, password, facts, turn),
            Act::RenewRecovery => renew_recovery(&signed, turn),
            Act::EndSession(reference) => end_session(&signed, reference, turn),
            Act::EndOtherSessions => {
                signed.check_recent(turn)?;
                turn.write(Write::EndSessions { user: signed.user.key, but: Some(signed.session.id) });
                turn.note(EventKind::SignedOut, Some(signed.user.key), None, "all other sessions");
                Ok(done(&signed, Done::Changed))
            }
            Act::Unlink(name) => unlink(&signed, name, facts, turn),
            Act::Disconnect(client_id) => disconnect(&signed, client_id, facts, turn),
        }
    }

    fn is_slow(&self, _facts: &Facts) -> bool {
        self.is_password_compared()
    }
}

fn done(signed: &Signed, done: Done) -> Account {
    Account { user: Arc::clone(&signed.user), session: signed.session.id, done, cookie: Cookie::Keep }
}

/// Ends all sessions after a change of how the user signs in. This browser gets a new session, so that a stolen cookie
/// becomes useless. OWASP ASVS 5.0 V7.4.3.
fn alone(signed: &Signed, user: Arc<User>, what: Done, turn: &mut Turn<'_>) -> Account {
    let (renewed, cookie) = signed.renew(&user, signed.session.amr.clone(), turn);
    turn.write(Write::EndSessions { user: user.key, but: Some(renewed.session.id) });
    Account { user, session: renewed.session.id, done: what, cookie }
}

/// Returns the new [`User::revoked_below`] after a change of how the user signs in. Where applications take passwords,
/// all earlier tokens are revoked: OWASP ASVS 5.0 V6.3.4, every pathway has the same strength.
fn dead_below(signed: &Signed, turn: &mut Turn<'_>) -> i64 {
    if turn.policy.is_password_taken { turn.entropy.next_id() } else { signed.user.revoked_below }
}

/// Writes the changed account, with the precondition that its row is unchanged and the session live.
fn put_user(signed: &Signed, turn: &mut Turn<'_>, change: impl FnOnce(&mut User)) -> Arc<User> {
    let mut user = (*signed.user).clone();
    user.version += 1;
    change(&mut user);
    user.date_change(&signed.user, turn.now);
    turn.rely(Rely::Session(signed.session.id));
    turn.write(Write::PutUser(Box::new(user.clone())));
    Arc::new(user)
}

fn rename(signed: &Signed, name: &str, turn: &mut Turn<'_>) -> Result<Account, Refusal> {
    let name = display_name(name)?;
    let user = put_user(signed, turn, |user| name.clone_into(&mut user.name));
    turn.note(EventKind::ProfileChanged, Some(user.key), None, "name");
    Ok(Account { user, ..done(signed, Done::Changed) })
}

impl AccountCall {
    fn is_password_compared(&self) -> bool {
        matches!(self.act, Act::ChangePassword { .. } | Act::RemoveTotp { .. })
    }

    /// Returns the attempt as the brute-force counters see it. A signed-in user has a counter by device or by session,
    /// so that strangers at the sign-in page cannot keep the user from changing the password.
    fn attempt(&self) -> Attempt {
        let session = self.caller.session.map(|own| SessionId(own.id));
        Attempt { address: self.address.clone(), devices: self.caller.devices.clone(), session, client: None }
    }

    /// Checks the typed password against the account's. Failures count for the device or the session.
    fn check_password(
        &self,
        signed: &Signed,
        typed: &Secret,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        let limits = AttemptLimits::of_password(&self.attempt(), Some(&signed.user), None, turn);
        limits.check(facts, turn)?;
        if signed.user.password.as_deref().is_some_and(|stored| turn.is_right_password(stored, typed)) {
            limits.pass(turn);
            Ok(())
        } else {
            limits.fail(&format!("{}, on the account page", Failure::Password), facts, turn);
            Err(No::PasswordCurrentWrong.into())
        }
    }

    fn change_password(
        &self,
        signed: &Signed,
        current: &Secret,
        new: &Secret,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<Account, Refusal> {
        let names = [signed.user.username.as_deref(), signed.user.email.as_deref(), Some(signed.user.name.as_str())];
        let names: Vec<&str> = names.into_iter().flatten().collect();
        password::may_be(new, &names)?;
        if signed.user.username.is_none() && signed.user.email.is_none() {
            return Err(No::LoginNameMissing.into());
        }
        match &signed.user.password {
            Some(_) => self.check_password(signed, current, facts, turn)?,
            // A user without a password signed in at an upstream identity provider, and must have done so recently.
            None => signed.check_recent(turn)?,
        }
        let hash = turn.hash_password(new);
        let below = dead_below(signed, turn);
        let user = put_user(signed, turn, |user| {
            user.password = Some(hash);
            user.revoked_below = below;
        });
        let how = if signed.user.password.is_some() { "" } else { "the first one" };
        turn.note(EventKind::PasswordChanged, Some(user.key), None, how);
        Ok(alone(signed, user, Done::Changed, turn))
    }

    fn remove_totp(
        &self,
        signed: &Signed,
        typed: &Secret,
        facts: &Facts,
        turn: &mut Turn<'_>,
    ) -> Result<Account, Refusal> {
        if signed.user.totp.is_none() {
            return Err(No::TotpAbsent.into());
        }
        signed.check_recent(turn)?;
        if signed.user.password.is_some() {
            self.check_password(signed, typed, facts, turn)?;
        }
        let user = put_user(signed, turn, |user| user.totp = None);
        turn.note(EventKind::TotpDisabled, Some(user.key), None, "");
        Ok(alone(signed, user, Done::Changed, turn))
    }
}

fn enrol_totp(signed: &Signed, turn: &mut Turn<'_>) -> Result<Account, Refusal> {
    signed.check_recent(turn)?;
    if signed.user.totp.is_some() {
        return Err(No::TotpPresent.into());
    }
    let seed = totp::seed(&mut turn.entropy);
    Ok(done(signed, enrolling(&seed, &signed.user, turn)))
}

fn enrolling(seed: &[u8], user: &User, turn: &mut Turn<'_>) -> Done {
    let account = user.email.as_deref().or(user.username.as_deref()).unwrap_or(&user.name);
    Done::Enrolling {
        base32: Secret::new(totp::base32(seed)),
        uri: Secret::new(totp::uri(seed, &turn.policy.issuer_name, account, turn.policy.otp_digits)),
        sealed_seed: turn.keys.keep("totp", user.sub.as_bytes(), seed, &mut turn.entropy),
    }
}

fn confirm_totp(signed: &Signed, sealed_seed: &str, typed: &Secret, turn: &mut Turn<'_>) -> Result<Account, Refusal> {
    signed.check_recent(turn)?;
    if signed.user.totp.is_some() {
        return Err(No::TotpPresent.into());
    }
    let seed = turn.keys.open_kept("totp", signed.user.sub.as_bytes(), sealed_seed).ok_or(No::PageStale)?;
    let digits = turn.policy.otp_digits;
    let wrong = Refusal::of(No::SecondFactorWrong, Param::Otp);
    let last_step = totp::matching_step(&seed, typed.reveal(), digits, turn.now, 0).ok_or(wrong)?;
    let (texts, recovery) = recovery::codes(&mut turn.entropy);
    let factor = Totp { sealed_seed: sealed_seed.to_owned(), digits, last_step, recovery, enabled_at: turn.now };
    let below = dead_below(signed, turn);
    let user = put_user(signed, turn, |user| {
        user.totp = Some(factor);
        user.revoked_below = below;
    });
    turn.note(EventKind::TotpEnabled, Some(user.key), None, "");
    // The user's other sessions will be asked for the new factor. This session has just proven it.
    let amr = signed.session.amr.iter().copied().filter(|own| *own != Amr::Otp).chain([Amr::Otp]).collect();
    let (renewed, cookie) = signed.renew(&user, amr, turn);
    Ok(Account { user, session: renewed.session.id, done: Done::Recovery(texts), cookie })
}

/// Returns the same shared secret again after a wrong first code, so that the user need not scan it twice. `None` if
/// the seal cannot be opened.
#[must_use]
pub fn enrolling_again(user: &User, sealed_seed: &str, turn: &mut Turn<'_>) -> Option<Done> {
    let seed = turn.keys.open_kept("totp", user.sub.as_bytes(), sealed_seed)?;
    Some(enrolling(&seed, user, turn))
}

fn renew_recovery(signed: &Signed, turn: &mut Turn<'_>) -> Result<Account, Refusal> {
    signed.check_recent(turn)?;
    if signed.user.totp.is_none() {
        return Err(No::TotpAbsent.into());
    }
    let (texts, recovery) = recovery::codes(&mut turn.entropy);
    let user = put_user(signed, turn, |user| {
        if let Some(factor) = &mut user.totp {
            factor.recovery = recovery;
        }
    });
    turn.note(EventKind::RecoveryRenewed, Some(user.key), None, "");
    Ok(Account { user, ..done(signed, Done::Recovery(texts)) })
}

fn end_session(signed: &Signed, reference: &str, turn: &mut Turn<'_>) -> Result<Account, Refusal> {
    let plain = turn.keys.open("session", signed.user.sub.as_bytes(), reference).ok_or(No::PageStale)?;
    let id = SessionId(i64::from_be_bytes(plain.try_into().map_err(|_| No::PageStale)?));
    // OWASP ASVS 5.0 V7.5.2: users end sessions "having authenticated again with at least one factor". To end the
    // current session is to sign out, which needs none.
    if id != signed.session.id {
        signed.check_recent(turn)?;
    }
    turn.write(Write::EndSession(id));
    turn.note(EventKind::SignedOut, Some(signed.user.key), None, "another session");
    if id == signed.session.id {
        return Ok(Account { cookie: Cookie::Clear, ..done(signed, Done::SignedOut) });
    }
    Ok(done(signed, Done::Changed))
}

/// Removes a link to an upstream account, unless it is the user's only way to sign in. The write of the account's row
/// makes one of two concurrent removals be judged again, so that they cannot remove the last two links.
fn unlink(signed: &Signed, name: &IdentityName, facts: &Facts, turn: &mut Turn<'_>) -> Result<Account, Refusal> {
    signed.check_recent(turn)?;
    let held = facts.identity(name).filter(|held| held.row.user == signed.user.key).ok_or(No::IdentityUnknown)?;
    let is_last = facts.owned_counts().is_none_or(|own| own.identities <= 1);
    if is_last && signed.user.password.is_none() {
        return Err(No::IdentityLast.into());
    }
    let below = dead_below(signed, turn);
    let user = put_user(signed, turn, |user| user.revoked_below = below);
    turn.write(Write::DropIdentity(held.row.name.clone()));
    turn.note(EventKind::IdentityUnlinked, Some(user.key), None, held.row.name.issuer.as_str());
    Ok(alone(signed, user, Done::Changed, turn))
}

fn disconnect(signed: &Signed, client_id: &str, facts: &Facts, turn: &mut Turn<'_>) -> Result<Account, Refusal> {
    let client = facts.client(client_id).ok_or(Refusal::of(No::AuthorizeClientUnknown, Param::ClientId))?;
    turn.write(Write::WithdrawConsent { user: signed.user.key, client: client.key });
    turn.note(EventKind::ConsentWithdrawn, Some(signed.user.key), Some(client.key), "");
    Ok(done(signed, Done::Changed))
}

#[cfg(test)]
mod tests;
