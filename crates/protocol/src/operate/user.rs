//! The operator's commands about users: adding, change, disabling, deletion, and how users sign in.

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

/// A command of the operator about an account. It is judged by the policy for pages that belong to no dialect.
#[derive(Debug)]
pub struct UserCall {
    /// The user: an id, an e-mail address or a user name. Empty for a new account.
    pub user: String,
    /// The action.
    pub act: UserAct,
}

/// The operator's actions on an account.
#[derive(Debug)]
pub enum UserAct {
    /// Add the account.
    Add(NewUser),
    /// Change the names and the e-mail address. Sessions, grants and the `sub` stay.
    Set(UserChange),
    /// Set and remove attributes.
    SetAttributes {
        /// The attributes to set.
        set: Map<String, Value>,
        /// The names of the attributes to remove. Each must exist.
        remove: Vec<String>,
    },
    /// Disable the account. All sessions end, and all that was issued is revoked.
    Disable,
    /// Enable the account again. What was revoked stays revoked.
    Enable,
    /// Delete the account, with every row that depends on it.
    Delete,
    /// End every lockout of the account. Lockouts of network addresses belong to no account and stay.
    Unlock,
    /// Set a password. All sessions end, and all that was issued is revoked.
    SetPassword(Secret),
    /// Enable a second factor whose codes have this number of digits; `None` for the policy's default.
    EnableTotp(Option<u32>),
    /// Disable the second factor. All sessions end.
    DisableTotp,
    /// Replace all recovery codes.
    RenewRecovery,
    /// Remove the link to an account at an upstream identity provider. All sessions end, and all that was issued is
    /// revoked.
    Unlink(IdentityName),
    /// Encrypt the shared secret of the second factor with the keys of another master key. All sessions end, and all
    /// that was issued is revoked.
    Reseal {
        /// The keys of the old master key.
        before: Box<Keys>,
        /// The keys of the new master key.
        after: Box<Keys>,
    },
}

/// The values of a new account.
#[derive(Debug, Default)]
pub struct NewUser {
    /// The user's `sub`, if it comes from another system. `None` for a random one.
    pub id: Option<String>,
    /// An e-mail address, by which the user can also sign in.
    pub email: Option<String>,
    /// True if it was verified that the address belongs to the user.
    pub email_verified: bool,
    /// A user name for signing in.
    pub username: Option<String>,
    /// The display name.
    pub name: String,
    /// The attributes of the account.
    pub attributes: Map<String, Value>,
    /// A password.
    pub password: Option<Secret>,
}

/// A change of an account. What is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// The e-mail address; an empty text removes it.
    pub email: Option<String>,
    /// True if the user has proven to own the address. A new address is unverified unless this says otherwise.
    pub email_verified: Option<bool>,
    /// The user name; an empty text removes it.
    pub username: Option<String>,
    /// The display name.
    pub name: Option<String>,
}

/// The outcome of a command about a user.
#[derive(Debug)]
pub struct UserDone {
    /// The account after the change, or before its deletion.
    pub user: Arc<User>,
    /// Secrets to show, if any.
    pub shown: Shown,
}

/// New secrets, which are shown only once.
#[derive(Debug)]
pub enum Shown {
    /// Nothing.
    Nothing,
    /// New recovery codes.
    Recovery(Vec<Secret>),
    /// A second factor that has just been enabled.
    Enrolled {
        /// The shared secret in base32, for typing.
        base32: Secret,
        /// The `otpauth://` URI for a QR code.
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
                // As on the account page, sessions end and tokens stay valid.
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
        user.date_change(seen, turn.now);
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

/// Checks a new password for this user, and returns its hash.
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
    user.date_change(seen, turn.now);
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
    // `check_names` ignores names whose value is null, because in a patch null removes an attribute. Here null is a
    // value like any other.
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
    // As on the account page: where applications take passwords, earlier tokens may have been issued for the password
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

/// Encrypts the shared secret of a second factor with new keys. A secret that is already encrypted with them stays, so
/// that an interrupted command can be repeated.
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
