//! Row 6 of the table: does what the user allowed cover what is asked for?

use super::Way;
use super::request::{Request, ResponseType};
use crate::line::{Change, Rely, Turn};
use crate::model::{ClientKind, Consent, EventKind};
use crate::person::browser::Shown;
use crate::person::sign_in::Signed;
use crate::resource_indicator;
use crate::scope::Scope;

/// May the user go unasked?
pub(super) fn is_given(way: &Way<'_>, request: &Request, turn: &Turn<'_>) -> bool {
    // RFC 6749 §10.2: "The authorization server SHOULD NOT process repeated authorization requests automatically (without
    // active resource owner interaction) without authenticating the client or relying on other measures to ensure that
    // the repeated request comes from the original client". It holds for the operator's own applications too.
    is_identity_assured(way, request)
        && (way.client.is_first_party || (is_covered(way, request, turn) && !request.is_prompt_consent))
}

/// Can nobody else have made the request? A confidential client proves itself when it redeems the code; a public one, or
/// one that gets a token at once, is known by an https address that is its own. Loopback ports and schemes on a device are
/// anybody's.
fn is_identity_assured(way: &Way<'_>, request: &Request) -> bool {
    let proves_itself = way.client.kind == ClientKind::Confidential && request.response_type == ResponseType::Code;
    proves_itself || way.to.as_str().starts_with("https://")
}

fn is_covered(way: &Way<'_>, request: &Request, turn: &Turn<'_>) -> bool {
    way.facts.consent.as_ref().is_some_and(|known| {
        request.scope.is_within(&turn.policy.scope.closure(&known.scope))
            && is_audience_within(&request.audience, &known.audience)
    })
}

/// An empty list is the widest: a token without resources is good at all of them.
fn is_audience_within(asked: &[String], known: &[String]) -> bool {
    known.is_empty() || (!asked.is_empty() && asked.iter().all(|asked| resource_indicator::is_among(known, asked)))
}

/// What of the scope is new to this user and client.
pub(super) fn added(way: &Way<'_>, request: &Request, turn: &Turn<'_>) -> Scope {
    let known = way.facts.consent.as_ref().map(|known| turn.policy.scope.closure(&known.scope));
    request.scope.without(&known.unwrap_or_default())
}

/// What the page shows, to be compared with what is granted when its answer comes.
pub(super) fn shown(request: &Request) -> Shown {
    Shown { scope: request.scope.clone(), audience: request.audience.clone() }
}

/// Makes what is decided depend on the consent being as it was seen: one that is withdrawn meanwhile counts no more.
pub(super) fn rely(way: &Way<'_>, signed: &Signed, turn: &mut Turn<'_>) {
    let id = way.facts.consent.as_ref().map(|known| known.id);
    turn.change(Change::Rely(Rely::Consent { user: signed.user.key, client: way.client.key, id }));
}

/// Remembers what the user allows now, together with what they allowed before.
pub(super) fn remember(way: &Way<'_>, request: &Request, signed: &Signed, turn: &mut Turn<'_>) {
    let known = way.facts.consent.as_ref();
    let audience = match known {
        Some(known) if known.audience.is_empty() || request.audience.is_empty() => Vec::new(),
        Some(known) => {
            let new = request.audience.iter().filter(|asked| !resource_indicator::is_among(&known.audience, asked));
            known.audience.iter().chain(new).cloned().collect()
        }
        None => request.audience.clone(),
    };
    let id = turn.entropy.next_id();
    turn.change(Change::PutConsent(Consent {
        id,
        user: signed.user.key,
        client: way.client.key,
        scope: known.map_or_else(|| request.scope.clone(), |known| known.scope.union(&request.scope)),
        audience,
        given_at: known.map_or(turn.now, |known| known.given_at),
        renewed_at: turn.now,
    }));
    turn.note(EventKind::ConsentGiven, Some(signed.user.key), Some(way.client.key), request.scope.as_str());
}
