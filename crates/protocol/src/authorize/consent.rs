//! Row 6 of the table in [`crate::authorize`]: whether the stored consent of a user covers an authorization request.

use super::request::{Request, ResponseType};
use super::return_path::ReturnPath;
use crate::line::{Rely, Turn, Write};
use crate::model::{ClientKind, Consent, EventKind, Permission};
use crate::person::sign_in::Signed;
use crate::resource_indicator;
use crate::scope::Scope;

/// Returns true if the request may be granted without the consent page.
pub(super) fn is_given(way: &ReturnPath<'_>, request: &Request, turn: &Turn<'_>) -> bool {
    // RFC 6749 §10.2: "The authorization server SHOULD NOT process repeated authorization requests automatically (without
    // active resource owner interaction) without authenticating the client or relying on other measures to ensure that
    // the repeated request comes from the original client". It holds for the operator's own applications too.
    is_identity_assured(way, request)
        && (way.client.is_first_party || (is_covered(way, request, turn) && !request.is_prompt_consent))
}

/// Returns true if only the registered client can receive the answer. A confidential client proves its identity when it
/// redeems the code. A public client, or one that gets its access token at once (implicit grant), needs an https
/// redirect URI. Any program on the device can listen on a loopback port or claim a private-use URI scheme.
fn is_identity_assured(way: &ReturnPath<'_>, request: &Request) -> bool {
    let proves_itself = way.client.kind == ClientKind::Confidential && request.response_type == ResponseType::Code;
    proves_itself || way.to.as_str().starts_with("https://")
}

fn is_covered(way: &ReturnPath<'_>, request: &Request, turn: &Turn<'_>) -> bool {
    way.consent().is_some_and(|known| {
        let (asked, known) = (&request.asked, &known.permission);
        asked.scope.is_within(&turn.policy.scope.closure(&known.scope))
            && is_audience_within(&asked.audience, &known.audience)
    })
}

/// Returns true if every resource in `asked` (RFC 8707) is among those in `known`. An empty list stands for all
/// resources, because a token without an audience is valid at every one.
fn is_audience_within(asked: &[String], known: &[String]) -> bool {
    known.is_empty() || (!asked.is_empty() && asked.iter().all(|asked| resource_indicator::is_among(known, asked)))
}

/// Returns the requested scopes that the user has not yet granted to the client, directly or by implication.
pub(super) fn added(way: &ReturnPath<'_>, request: &Request, turn: &Turn<'_>) -> Scope {
    let known = way.consent().map(|known| turn.policy.scope.closure(&known.permission.scope));
    request.asked.scope.without(&known.unwrap_or_default())
}

/// Adds the precondition that the consent is unchanged, so that a decision made just before a withdrawal is not
/// committed.
pub(super) fn rely(way: &ReturnPath<'_>, signed: &Signed, turn: &mut Turn<'_>) {
    let id = way.consent().map(|known| known.id);
    turn.rely(Rely::Consent { user: signed.user.key, client: way.client.key, id });
}

/// Writes the consent: what the user allows now, merged with what the same user allowed the client before.
pub(super) fn remember(way: &ReturnPath<'_>, request: &Request, signed: &Signed, turn: &mut Turn<'_>) {
    let (known, asked) = (way.consent(), &request.asked);
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

/// Returns the union of two permissions, scopes and resources. An empty list of resources stands for all of them.
fn widened(known: &Permission, asked: &Permission) -> Permission {
    let audience = if known.audience.is_empty() || asked.audience.is_empty() {
        Vec::new()
    } else {
        let new = asked.audience.iter().filter(|asked| !resource_indicator::is_among(&known.audience, asked));
        known.audience.iter().chain(new).cloned().collect()
    };
    Permission { scope: known.scope.union(&asked.scope), audience }
}
