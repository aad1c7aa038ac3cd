//! Users: added, changed, shut out and let in, deleted, and how they sign in.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{BY_OPERATOR, cut_off, user, want_user};
use crate::crypto::keys::Keys;
use crate::identifiers;
use crate::line::{Call, Facts, Key, Turn, Wants, Write};
use crate::model::{EventKind, IdentityName, Totp, User, UserKey};
use crate::names;
use crate::person::{password, recovery, totp};
use crate::refusal::{No, Refusal};
use crate::resource::attributes;
use crate::secret::Secret;

/// Something that the operator does with an account. It is judged by the rules of the house.
#[derive(Debug)]
pub struct UserCall {
    /// Whose account: an id, an e-mail address or a user name. Empty for a new account.
    pub user: String,
    /// What is done.
    pub act: UserAct,
}

/// What can be done with an account.
#[derive(Debug)]
pub enum UserAct {
    /// Add it.
    Add(NewUser),
    /// Change the names and the e-mail address. Sessions, grants and the `sub` stay.
    Set(UserChange),
    /// Set and remove attributes.
    SetAttributes {
        /// Those to set.
        set: Map<String, Value>,
        /// The names of those to remove. Each must be there.
        remove: Vec<String>,
    },
    /// Shut its owner out: all sessions end, and all that was issued is dead.
    Disable,
    /// Let its owner in again. What was dead stays dead.
    Enable,
    /// Delete it, with everything that hangs on it.
    Delete,
    /// End every lockout of the account. Those of network addresses belong to whoever made the attempts.
    Unlock,
    /// Set a password: all sessions end, and all that was issued is dead.
    SetPassword(Secret),
    /// Switch on a second factor whose codes have so many digits; without a number, as many as the house has.
    EnableTotp(Option<u32>),
    /// Switch the second factor off: all sessions end.
    DisableTotp,
    /// Replace all recovery codes.
    RenewRecovery,
    /// Take away that an account elsewhere opens this one: all sessions end, and all that was issued is dead.
    Unlink(IdentityName),
    /// Seal the seed of the second factor with the keys of another master key. All sessions end, and all that was issued is
    /// dead.
    Reseal {
        /// The keys with which it is sealed.
        before: Box<Keys>,
        /// The keys with which it is to be sealed.
        after: Box<Keys>,
    },
}

/// What is known of a person who gets an account.
#[derive(Debug, Default)]
pub struct NewUser {
    /// A `sub` from elsewhere; without one a random one is made.
    pub id: Option<String>,
    /// An e-mail address, also to sign in with.
    pub email: Option<String>,
    /// True if somebody checked that the address is theirs.
    pub email_verified: bool,
    /// A name to sign in with.
    pub username: Option<String>,
    /// The name to show.
    pub name: String,
    /// What else is kept about the account.
    pub attributes: Map<String, Value>,
    /// A password.
    pub password: Option<Secret>,
}

/// What is said of a person from now on. What is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The e-mail address; an empty text takes it away.
    pub email: Option<String>,
    /// True if somebody checked that the address is theirs. A new address is unverified unless this says otherwise.
    pub email_verified: Option<bool>,
    /// The name to sign in with; an empty text takes it away.
    pub username: Option<String>,
    /// The name to show.
    pub name: Option<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct UserDone {
    /// The account as it is now, or was before it was deleted.
    pub user: Arc<User>,
    /// What is shown this once.
    pub shown: Shown,
}

/// What is shown once.
#[derive(Debug)]
pub enum Shown {
    /// Nothing.
    Nothing,
    /// New recovery codes.
    Recovery(Vec<Secret>),
    /// A second factor that was just switched on.
    Enrolled {
        /// The seed as people type it.
        base32: Secret,
        /// The seed as a QR code has it.
        uri: Secret,
        /// Recovery codes.
        recovery: Vec<Secret>,
    },
}

impl Call for UserCall {
    type Yes = UserDone;

    fn wants(&self) -> Wants {
        let mut wants = Wants::default();
        if !matches!(self.act, UserAct::Add(_)) {
            want_user(&self.user, &mut wants);
        }
        if let UserAct::Unlink(name) = &self.act {
            wants.add(Key::Identity(name.clone()));
        }
        wants
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<UserDone, Refusal> {
        if let UserAct::Add(new) = &self.act {
            return add(new, turn);
        }
        let seen = user(&self.user, facts)?;
        let mut user = User { version: seen.version + 1, ..(**seen).clone() };
        let (kind, detail, shown) = match &self.act {
            UserAct::Add(_) => unreachable!("answered above"),
            UserAct::Delete => {
                turn.write(Write::DeleteUser(seen.key));
                turn.note(EventKind::UserDeleted, Some(seen.key), None, "");
                return Ok(UserDone { user: Arc::clone(seen), shown: Shown::Nothing });
            }
            UserAct::Unlock => {
                turn.write(Write::ForgetFailures(seen.key));
                turn.note(EventKind::UserUnlocked, Some(seen.key), None, BY_OPERATOR);
                return Ok(UserDone { user: Arc::clone(seen), shown: Shown::Nothing });
            }
            UserAct::Set(change) => return rename(seen, user, change, turn),
            UserAct::SetAttributes { set, remove } => {
                set_attributes(&mut user, set, remove)?;
                (EventKind::UserChanged, "attributes", Shown::Nothing)
            }
            UserAct::Disable => {
                user.is_disabled = true;
                cut_off(&mut user, turn);
                (EventKind::UserChanged, "disabled", Shown::Nothing)
            }
            UserAct::Enable => {
                user.is_disabled = false;
                (EventKind::UserChanged, "enabled", Shown::Nothing)
            }
            UserAct::SetPassword(new) => {
                user.password = Some(hashed(new, &user, turn)?);
                cut_off(&mut user, turn);
                (EventKind::PasswordChanged, BY_OPERATOR, Shown::Nothing)
            }
            UserAct::EnableTotp(digits) => {
                let shown = enable_totp(&mut user, *digits, turn)?;
                (EventKind::TotpEnabled, BY_OPERATOR, shown)
            }
            UserAct::DisableTotp => {
                user.totp.take().ok_or(No::TotpAbsent)?;
                // As on the account page: sessions end, tokens stay.
                turn.write(Write::EndSessions { user: user.key, but: None });
                (EventKind::TotpDisabled, BY_OPERATOR, Shown::Nothing)
            }
            UserAct::RenewRecovery => {
                let factor = user.totp.as_mut().ok_or(No::TotpAbsent)?;
                let (texts, digests) = recovery::codes(&mut turn.entropy);
                factor.recovery = digests;
                (EventKind::RecoveryRenewed, BY_OPERATOR, Shown::Recovery(texts))
            }
            UserAct::Unlink(name) => {
                facts.identity(name).filter(|held| held.row.user == user.key).ok_or(No::IdentityUnknown)?;
                cut_off(&mut user, turn);
                turn.write(Write::DropIdentity(name.clone()));
                (EventKind::IdentityUnlinked, BY_OPERATOR, Shown::Nothing)
            }
            UserAct::Reseal { before, after } => {
                reseal(&mut user, before, after, turn)?;
                cut_off(&mut user, turn);
                (EventKind::KeyRotated, "the master key was replaced", Shown::Nothing)
            }
        };
        turn.write(Write::PutUser(Box::new(user.clone())));
        turn.note(kind, Some(user.key), None, detail);
        Ok(UserDone { user: Arc::new(user), shown })
    }

    fn is_slow(&self, _facts: &Facts) -> bool {
        matches!(self.act, UserAct::SetPassword(_) | UserAct::Add(NewUser { password: Some(_), .. }))
    }
}

fn add(new: &NewUser, turn: &mut Turn<'_>) -> Result<UserDone, Refusal> {
    let email = new.email.as_deref().map(identifiers::email).transpose()?;
    if let Some(name) = &new.username {
        identifiers::username(name)?;
    }
    let name = identifiers::display_name(&new.name)?;
    let sub = match &new.id {
        Some(kept) => {
            identifiers::id(kept)?;
            kept.clone()
        }
        None => identifiers::random_sub(&mut turn.entropy),
    };
    attributes::check_names(&new.attributes)?;
    attributes::check(&new.attributes)?;
    let key = UserKey(turn.entropy.next_id());
    let mut user = User {
        username: new.username.clone(),
        email: email.map(ToOwned::to_owned),
        email_verified: new.email_verified,
        attributes: new.attributes.clone(),
        ..User::new(key, sub, name, turn.now)
    };
    user.password = new.password.as_ref().map(|password| hashed(password, &user, turn)).transpose()?;
    turn.write(Write::PutUser(Box::new(user.clone())));
    turn.note(EventKind::UserAdded, Some(user.key), None, "");
    Ok(UserDone { user: Arc::new(user), shown: Shown::Nothing })
}

/// The hash of a new password, if it may be the password of this user.
fn hashed(new: &Secret, user: &User, turn: &mut Turn<'_>) -> Result<String, Refusal> {
    let names = [user.username.as_deref(), user.email.as_deref(), Some(user.name.as_str())];
    let names: Vec<&str> = names.into_iter().flatten().collect();
    password::may_be(new, &names)?;
    Ok(turn.hash_password(new))
}

/// Changes the names and the e-mail address of `seen`, of which `user` is the next version.
fn rename(seen: &Arc<User>, mut user: User, change: &UserChange, turn: &mut Turn<'_>) -> Result<UserDone, Refusal> {
    let before = set(&mut user, change)?;
    if before.is_empty() {
        return Ok(UserDone { user: Arc::clone(seen), shown: Shown::Nothing });
    }
    turn.write(Write::PutUser(Box::new(user.clone())));
    turn.note(EventKind::UserChanged, Some(user.key), None, before.join(", "));
    Ok(UserDone { user: Arc::new(user), shown: Shown::Nothing })
}

/// Changes the names and the e-mail address, and returns what they were before, for the audit.
fn set(user: &mut User, change: &UserChange) -> Result<Vec<String>, Refusal> {
    let mut before = Vec::new();
    let told = |name: &str, old: Option<&str>| match old {
        Some(old) => format!("{name} was {old}"),
        None => format!("{name} was absent"),
    };
    if let Some(text) = &change.email {
        let email = if text.trim().is_empty() { None } else { Some(identifiers::email(text)?.to_owned()) };
        let is_same = email.as_deref().map(names::login_name) == user.email.as_deref().map(names::login_name);
        if email != user.email {
            before.push(told("email", user.email.as_deref()));
            user.email = email;
        }
        // The check was about the address before.
        if !is_same && user.email_verified {
            before.push("email_verified was true".to_owned());
            user.email_verified = false;
        }
        // It is the user's own address now.
        if user.email_hint.as_deref().map(names::login_name) == user.email.as_deref().map(names::login_name) {
            user.email_hint = None;
        }
    }
    if let Some(is_verified) = change.email_verified {
        if is_verified && user.email.is_none() {
            return Err(No::EmailAbsent.into());
        }
        if is_verified != user.email_verified {
            let is_told = before.iter().any(|own| own.starts_with("email_verified"));
            before.extend((!is_told).then(|| format!("email_verified was {}", user.email_verified)));
            user.email_verified = is_verified;
        }
    }
    if let Some(text) = &change.username {
        let username = if text.is_empty() { None } else { Some(text.clone()) };
        if let Some(name) = &username {
            identifiers::username(name)?;
        }
        if username != user.username {
            before.push(told("username", user.username.as_deref()));
            user.username = username;
        }
    }
    if let Some(text) = &change.name {
        let name = identifiers::display_name(text)?;
        if name != user.name {
            before.push(told("name", Some(&user.name)));
            name.clone_into(&mut user.name);
        }
    }
    let is_taken_away =
        [&change.email, &change.username].iter().any(|own| own.as_ref().is_some_and(|own| own.trim().is_empty()));
    if is_taken_away && user.email.is_none() && user.username.is_none() {
        return Err(No::LoginMissing.into());
    }
    Ok(before)
}

fn set_attributes(user: &mut User, set: &Map<String, Value>, remove: &[String]) -> Result<(), Refusal> {
    for name in remove {
        if user.attributes.remove(name).is_none() {
            return Err(Refusal::from(No::AttributeAbsent).with_value(name));
        }
    }
    // A name that is to be removed is none of these, so null is a value like any other.
    let names: Map<String, Value> = set.keys().map(|name| (name.clone(), Value::Bool(true))).collect();
    attributes::check_names(&names)?;
    user.attributes.extend(set.clone());
    Ok(attributes::check(&user.attributes)?)
}

fn enable_totp(user: &mut User, digits: Option<u32>, turn: &mut Turn<'_>) -> Result<Shown, Refusal> {
    if user.totp.is_some() {
        return Err(No::TotpPresent.into());
    }
    let digits = digits.unwrap_or(turn.policy.otp_digits);
    let seed = totp::seed(&mut turn.entropy);
    let (texts, digests) = recovery::codes(&mut turn.entropy);
    user.totp = Some(Totp {
        sealed_seed: turn.keys.keep("totp", user.sub.as_bytes(), &seed, &mut turn.entropy),
        digits,
        last_step: 0,
        recovery: digests,
        enabled_at: turn.now,
    });
    // As on the account page: where applications take passwords, what was issued before may have come of the password
    // alone. OWASP ASVS 5.0 V6.3.4.
    if turn.policy.is_password_taken {
        cut_off(user, turn);
    }
    let account = user.email.as_deref().or(user.username.as_deref()).unwrap_or(&user.name);
    Ok(Shown::Enrolled {
        base32: Secret::new(totp::base32(&seed)),
        uri: Secret::new(totp::uri(&seed, &turn.policy.issuer_name, account, digits)),
        recovery: texts,
    })
}

/// Seals the seed of a second factor anew. One that is sealed with the new keys already stays: a command that broke off can
/// be repeated.
fn reseal(user: &mut User, before: &Keys, after: &Keys, turn: &mut Turn<'_>) -> Result<(), Refusal> {
    let context = user.sub.as_bytes();
    let Some(factor) = &mut user.totp else { return Ok(()) };
    if let Some(seed) = before.open_kept("totp", context, &factor.sealed_seed).map(zeroize::Zeroizing::new) {
        factor.sealed_seed = after.keep("totp", context, &seed, &mut turn.entropy);
    } else if after.open_kept("totp", context, &factor.sealed_seed).is_none() {
        return Err(Refusal::from(No::TotpUnreadable).with_value(&user.sub));
    }
    Ok(())
}
