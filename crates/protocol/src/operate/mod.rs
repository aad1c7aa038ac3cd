//! The judges of the operator's commands: clients, users, grants and tokens. The command line asks them as the server
//! asks the others, so that the rules hold for the operator too and every audit event names the account that ran the
//! command.
//!
//! The operator may do more than an owner: commands need no password, and numbers are not limited. Whoever runs a
//! command can read and write the store anyway.

mod client;
mod personal;
mod repair;
mod revoke;
pub mod signing_keys;
#[cfg(test)]
mod tests;
mod user;

use std::sync::Arc;

pub use client::{ClientAct, ClientCall, ClientDone, Ownership};
pub use personal::MakePersonal;
pub use repair::{CorrectClient, CorrectUser, EndGrant};
pub use revoke::{RevokeGrant, RevokePersonal, RevokeToken, Revoked, WithdrawConsent};
pub use user::{NewUser, Shown, UserAct, UserCall, UserChange, UserDone};

use crate::line::{Facts, Key, Turn, Wants, Write};
use crate::model::{Client, User};
use crate::refusal::{No, Refusal};

/// Detail of an audit event for an action of the operator.
const BY_OPERATOR: &str = "by the operator";

/// Adds the keys of the user whom the operator named by an id, an e-mail address or a user name.
fn want_user(name: &str, wants: &mut Wants) {
    let name = name.trim().to_owned();
    wants.add(Key::Sub(name.clone()));
    wants.add(Key::Login(name));
}

/// Returns the user whom the operator named.
fn user<'f>(name: &str, facts: &'f Facts) -> Result<&'f Arc<User>, Refusal> {
    let wanted = name.trim();
    let found = facts.subject(wanted).or_else(|| facts.login(wanted));
    found.ok_or_else(|| Refusal::from(No::UserAbsent).with_value(name))
}

/// Returns the client that the operator named.
fn client<'f>(client_id: &str, facts: &'f Facts) -> Result<&'f Arc<Client>, Refusal> {
    facts.client(client_id.trim()).ok_or_else(|| Refusal::from(No::ClientAbsent).with_value(client_id))
}

/// Ends all sessions of a user, and revokes all that was issued on the user's behalf.
fn cut_off(user: &mut User, turn: &mut Turn<'_>) {
    user.revoked_below = turn.entropy.next_id();
    turn.write(Write::EndSessions { user: user.key, but: None });
}
