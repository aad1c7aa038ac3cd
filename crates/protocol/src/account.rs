//! What signed-in people do with their own account: see it, change how they sign in, end sessions, take back what they
//! allowed. Everything asks first for a live session with all its factors.

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

/// Something that a person does with their account.
#[derive(Debug)]
pub struct AccountCall {
    /// The browser.
    pub caller: Caller,
    /// The network address, as it is counted for brute force.
    pub address: String,
    /// The seal of the form that asks for it. Looking needs none.
    pub seal: Option<FormSeal>,
    /// What it does.
    pub act: Act,
}

/// What can be done.
#[derive(Clone, Debug)]
pub enum Act {
    /// Look.
    View,
    /// Sign out in this browser.
    SignOut,
    /// Change the display name.
    Rename(String),
    /// Change the password, or set a first one.
    ChangePassword {
        /// The one so far; nobody looks at it where there is none. OWASP ASVS 5.0 V6.2.3.
        current: Secret,
        /// The one from now on.
        new: Secret,
    },
    /// Begin to switch on a second factor.
    EnrolTotp,
    /// Switch it on, with a first code as proof.
    ConfirmTotp {
        /// The seed, as [`Done::Enrolling`] sealed it.
        sealed_seed: String,
        /// The code.
        typed: Secret,
    },
    /// Switch the second factor off.
    RemoveTotp {
        /// The password, as proof, where there is one.
        password: Secret,
    },
    /// Replace all recovery codes.
    RenewRecovery,
    /// End one of one's sessions; the reference is [`session_reference`]'s.
    EndSession(String),
    /// End all sessions but this one.
    EndOtherSessions,
    /// Take away that an account elsewhere opens this one.
    Unlink(IdentityName),
    /// Take back what an application, by its client_id, was allowed.
    Disconnect(String),
}

/// Who did it, and what came of it.
#[derive(Debug)]
pub struct Account {
    /// Whose account, after the change.
    pub user: Arc<User>,
    /// The session in which it was done.
    pub session: SessionId,
    /// What came of it.
    pub done: Done,
    /// What becomes of the session cookie.
    pub cookie: Cookie,
}

/// What came of it.
#[derive(Debug)]
pub enum Done {
    /// Nothing was to be done.
    Viewed,
    /// It was done.
    Changed,
    /// A seed to scan, to be confirmed by a code.
    Enrolling {
        /// The seed as people type it.
        base32: Secret,
        /// The seed as a QR code has it.
        uri: Secret,
        /// The seed for [`Act::ConfirmTotp`].
        sealed_seed: String,
    },
    /// Recovery codes, shown this once.
    Recovery(Vec<Secret>),
    /// The session is over.
    SignedOut,
}

/// How a page refers to a session without showing the id of its row.
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

/// After a change of how one signs in: this browser gets a new session, so that a stolen cookie is worth nothing, and all
/// others are signed out. OWASP ASVS 5.0 V7.4.3.
fn alone(signed: &Signed, user: Arc<User>, what: Done, turn: &mut Turn<'_>) -> Account {
    let (renewed, cookie) = signed.renew(&user, signed.session.amr.clone(), turn);
    turn.write(Write::EndSessions { user: user.key, but: Some(renewed.session.id) });
    Account { user, session: renewed.session.id, done: what, cookie }
}

/// Below which id everything of the account's is dead after a change of how one signs in. Where applications take
/// passwords, that is everything so far: OWASP ASVS 5.0 V6.3.4, every pathway has the same strength.
fn dead_below(signed: &Signed, turn: &mut Turn<'_>) -> i64 {
    if turn.policy.is_password_taken { turn.entropy.next_id() } else { signed.user.revoked_below }
}

/// Replaces the account's row, if it is still the one that was seen.
fn put_user(signed: &Signed, turn: &mut Turn<'_>, change: impl FnOnce(&mut User)) -> Arc<User> {
    let mut user = (*signed.user).clone();
    user.version += 1;
    change(&mut user);
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

    /// Whoever is signed in has a counter of their own, by the device or else by the session: what strangers do at the
    /// sign-in page must not keep them from changing their password.
    fn attempt(&self) -> Attempt {
        let session = self.caller.session.map(|own| SessionId(own.id));
        Attempt { address: self.address.clone(), devices: self.caller.devices.clone(), session, client: None }
    }

    /// Compares the typed password with the account's, at the counters of the device or session.
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
            // Who never had one came by an account elsewhere, and must have done so not long ago.
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
    // Sessions that were begun without the factor are asked for it; the one that proved it just now need not be.
    let amr = signed.session.amr.iter().copied().filter(|own| *own != Amr::Otp).chain([Amr::Otp]).collect();
    let (renewed, cookie) = signed.renew(&user, amr, turn);
    Ok(Account { user, session: renewed.session.id, done: Done::Recovery(texts), cookie })
}

/// What a wrong first code is answered with: the same seed again, so that nobody has to scan twice.
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
    // OWASP ASVS 5.0 V7.5.2: users end sessions "having authenticated again with at least one factor". One's own needs none.
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

/// Two links that are taken away at once would each think that the other one stays: the account's row makes one of them look
/// again.
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
