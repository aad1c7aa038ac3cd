//! A grant type that the surface offers, and that is not among those of the client.

use crate::line::Turn;
use crate::model::{Client, GrantType};
use crate::refusal::{No, Refusal};
use crate::wire::Param;

/// The refusal of a grant type that the client may not use, with those that it may use at the token endpoint.
pub(super) fn refusal(grant: GrantType, client: &Client, turn: &Turn<'_>) -> Refusal {
    let usable = |own: &&GrantType| **own != grant && **own != GrantType::Implicit && turn.policy.grants.contains(own);
    let others = client.grants.iter().filter(usable).map(|own| own.as_str());
    Refusal::of(No::GrantTypeNotAllowed, Param::GrantType).with_value(grant.as_str()).with_choices(others)
}
