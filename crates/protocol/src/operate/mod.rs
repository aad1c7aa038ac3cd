//! What the operator does by commands: clients, users, grants and tokens. The command line asks these judges as the server
//! asks the others, so that a rule holds for the operator too, and every event says who ran the command.
//!
//! The operator may do what its owner may not: nobody is asked for a password, and nothing is limited in number. Whoever
//! runs a command can read and write the store anyway.

mod client;
mod personal;
mod repair;
mod revoke;
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

/// What every event says of an act of the operator's that needs no other words.
const BY_OPERATOR: &str = "by the operator";

/// Asks for the user whom the operator means: by an id, an e-mail address or a user name.
fn want_user(name: &str, wants: &mut Wants) {
    let name = name.trim().to_owned();
    wants.add(Key::Sub(name.clone()));
    wants.add(Key::Login(name));
}

/// The user whom the operator means.
fn user<'f>(name: &str, facts: &'f Facts) -> Result<&'f Arc<User>, Refusal> {
    let wanted = name.trim();
    let found = facts.subject(wanted).or_else(|| facts.login(wanted));
    found.ok_or_else(|| Refusal::from(No::UserAbsent).with_value(name))
}

/// The client that the operator means.
fn client<'f>(client_id: &str, facts: &'f Facts) -> Result<&'f Arc<Client>, Refusal> {
    facts.client(client_id.trim()).ok_or_else(|| Refusal::from(No::ClientAbsent).with_value(client_id))
}

/// Ends all sessions of a user, and kills all that was issued on the user's behalf.
fn cut_off(user: &mut User, turn: &mut Turn<'_>) {
    user.revoked_below = turn.entropy.next_id();
    turn.write(Write::EndSessions { user: user.key, but: None });
}
