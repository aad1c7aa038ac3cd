//! Which turns may be written together with others.

use std::collections::BTreeSet;

use protocol::line::{Changes, Rely, Write};

/// Returns true if this turn may be written together with others.
pub(crate) fn is_frequent(changes: &Changes) -> bool {
    let Changes { relied, writes } = changes;
    relied.iter().all(|rely| is_relied_frequently(*rely))
        && writes.iter().all(is_written_frequently)
        && !depends_on_order(writes)
}

fn is_relied_frequently(rely: Rely) -> bool {
    match rely {
        Rely::Client(..)
        | Rely::User(..)
        | Rely::Session(_)
        | Rely::Grant(_)
        | Rely::Consent { .. }
        | Rely::CounterBelow { .. } => true,
        Rely::ClientsFewer { .. } | Rely::PersonalsFewer { .. } => false,
    }
}

/// Returns true for every write that the token, authorize and revocation endpoints decide.
fn is_written_frequently(write: &Write) -> bool {
    match write {
        Write::AwaitDurability
        | Write::SpendCode(_)
        | Write::RotateRefresh { .. }
        | Write::CountFailure { .. }
        | Write::ClearCounter { .. }
        | Write::PutCode(_)
        | Write::PutGrant(_)
        | Write::PutAccess(_)
        | Write::PutSession(_)
        | Write::PutTicket(_)
        | Write::SpendTicket { .. }
        | Write::PutConsent(_)
        | Write::PutIdentity(_)
        | Write::BurnJti { .. }
        | Write::Enqueue(_)
        | Write::Note(_)
        | Write::TouchSession { .. }
        | Write::TouchPersonal { .. }
        | Write::TouchSecret { .. }
        | Write::RevokeGrant(_)
        | Write::RevokeAccess(_)
        | Write::RevokePersonal(_)
        | Write::EndSession(_) => true,
        // A batch adds users of whom nothing was revoked yet. The statement for the others compares what it must not change.
        Write::PutUser(row) => row.version > 1 || (row.version == 1 && row.revoked_below == 0),
        Write::ForgetFailures(_)
        | Write::PutClient(_)
        | Write::PutPersonal(_)
        | Write::ChangeTicket(_)
        | Write::PutSealKey(_)
        | Write::DropSealKey(_)
        | Write::PutSigningKey(_)
        | Write::DropSigningKey(_)
        | Write::WithdrawConsent { .. }
        | Write::EndSessions { .. }
        | Write::DropIdentity(_)
        | Write::DeleteUser(_)
        | Write::DeleteClient(_) => false,
    }
}

/// Returns true if a write may be about a row that another write of the same turn adds or ends. A batch makes writes by kind:
/// it spends, rotates and clears first, then counts and adds, and revokes and ends last.
fn depends_on_order(writes: &[Write]) -> bool {
    // Most turns have none of the pairs below: their writes only add.
    if writes.iter().all(only_adds) {
        return false;
    }
    let has = |is_it: fn(&Write) -> bool| writes.iter().any(is_it);
    let spends = has(|write| matches!(write, Write::SpendCode(_)));
    let rotates = has(|write| matches!(write, Write::RotateRefresh { .. }));
    let revokes = has(|write| matches!(write, Write::RevokeGrant(_)));
    let begins = has(|write| matches!(write, Write::PutGrant(_)));
    let revokes_access = has(|write| matches!(write, Write::RevokeAccess(_)));
    let spends_tickets = has(|write| matches!(write, Write::SpendTicket { .. }));
    (spends && has(|write| matches!(write, Write::PutCode(_))))
        || (spends_tickets && has(|write| matches!(write, Write::PutTicket(_))))
        || (rotates && (begins || revokes))
        || (revokes && begins)
        || (revokes_access && has(|write| matches!(write, Write::PutAccess(_))))
        || puts_users(writes)
        || changes_own_session(writes)
        || clears_what_it_counted(writes)
}

/// Returns true for a write that depends on no other write of its turn.
fn only_adds(write: &Write) -> bool {
    matches!(write, Write::PutCode(_) | Write::PutGrant(_) | Write::PutAccess(_) | Write::Note(_))
}

/// Returns true if the turn writes several users, of whom one may get a name that another one gives up or gets as well.
fn puts_users(writes: &[Write]) -> bool {
    writes.iter().filter(|write| matches!(write, Write::PutUser(_))).count() > 1
}

/// Returns true if the turn ends or touches a session that it begins.
fn changes_own_session(writes: &[Write]) -> bool {
    let begun = |id| writes.iter().any(|write| matches!(write, Write::PutSession(row) if row.id == id));
    let is_own = |write: &Write| matches!(write, Write::EndSession(id) | Write::TouchSession { id, .. } if begun(*id));
    writes.iter().any(is_own)
}

/// Returns true if the turn clears a counter after it counted a failure there.
fn clears_what_it_counted(writes: &[Write]) -> bool {
    let mut counted = BTreeSet::new();
    writes.iter().any(|write| {
        if let Write::CountFailure { key, .. } = write {
            counted.insert(key.0);
        }
        matches!(write, Write::ClearCounter { key, .. } if counted.contains(&key.0))
    })
}
