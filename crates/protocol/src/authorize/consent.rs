//! Row 6 of the table: does what the user allowed cover what is asked for?

use super::request::{Request, ResponseType};
use super::return_path::ReturnPath;
use crate::line::{Rely, Turn, Write};
use crate::model::{ClientKind, Consent, EventKind, Permission};
use crate::person::sign_in::Signed;
use crate::resource_indicator;
use crate::scope::Scope;

/// May the user go unasked?
pub(super) fn is_given(way: &ReturnPath<'_>, request: &Request, turn: &Turn<'_>) -> bool {
    // RFC 6749 §10.2: "The authorization server SHOULD NOT process repeated authorization requests automatically (without
    // active resource owner interaction) without authenticating the client or relying on other measures to ensure that
    // the repeated request comes from the original client". It holds for the operator's own applications too.
    is_identity_assured(way, request)
        && (way.client.is_first_party || (is_covered(way, request, turn) && !request.is_prompt_consent))
}

/// Can nobody else have made the request? A confidential client proves itself when it redeems the code; a public one, or
/// one that gets a token at once, is known by an https address that is its own. Loopback ports and schemes on a device are
/// anybody's.
fn is_identity_assured(way: &ReturnPath<'_>, request: &Request) -> bool {
    let proves_itself = way.client.kind == ClientKind::Confidential && request.response_type == ResponseType::Code;
    proves_itself || way.to.as_str().starts_with("https://")
}

fn is_covered(way: &ReturnPath<'_>, request: &Request, turn: &Turn<'_>) -> bool {
    way.consent().is_some_and(|known| {
        let (asked, known) = (&request.permission, &known.permission);
        asked.scope.is_within(&turn.policy.scope.closure(&known.scope))
            && is_audience_within(&asked.audience, &known.audience)
    })
}

/// An empty list is the widest: a token without resources is good at all of them.
fn is_audience_within(asked: &[String], known: &[String]) -> bool {
    known.is_empty() || (!asked.is_empty() && asked.iter().all(|asked| resource_indicator::is_among(known, asked)))
}

/// What of the scope is new to this user and client.
pub(super) fn added(way: &ReturnPath<'_>, request: &Request, turn: &Turn<'_>) -> Scope {
    let known = way.consent().map(|known| turn.policy.scope.closure(&known.permission.scope));
    request.permission.scope.without(&known.unwrap_or_default())
}

/// Adds the precondition that the consent is unchanged. A consent that is withdrawn meanwhile counts no more.
pub(super) fn rely(way: &ReturnPath<'_>, signed: &Signed, turn: &mut Turn<'_>) {
    let id = way.consent().map(|known| known.id);
    turn.rely(Rely::Consent { user: signed.user.key, client: way.client.key, id });
}

/// Remembers what the user allows now, together with what they allowed before.
pub(super) fn remember(way: &ReturnPath<'_>, request: &Request, signed: &Signed, turn: &mut Turn<'_>) {
    let (known, asked) = (way.consent(), &request.permission);
    let permission = known.map_or_else(|| asked.clone(), |known| widened(&known.permission, asked));
    let id = turn.entropy.next_id();
    turn.write(Write::PutConsent(Consent {
        id,
        user: signed.user.key,
        client: way.client.key,
        permission,
        given_at: known.map_or(turn.now, |known| known.given_at),
        renewed_at: turn.now,
    }));
    turn.note(EventKind::ConsentGiven, Some(signed.user.key), Some(way.client.key), asked.scope.as_str());
}

/// Everything that either permission allows.
fn widened(known: &Permission, asked: &Permission) -> Permission {
    let audience = if known.audience.is_empty() || asked.audience.is_empty() {
        Vec::new()
    } else {
        let new = asked.audience.iter().filter(|asked| !resource_indicator::is_among(&known.audience, asked));
        known.audience.iter().chain(new).cloned().collect()
    };
    Permission { scope: known.scope.union(&asked.scope), audience }
}
