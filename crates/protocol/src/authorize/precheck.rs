//! The check of an authorization request on surfaces whose authorization endpoint is an API. Such an endpoint answers
//! with the address of a page to which the client sends the browser. An invalid request is reported at once to the
//! client that made it.

use super::pushed;
use super::request::Request;
use super::return_path::ReturnPath;
use crate::line::Call;
use crate::line::{Facts, Key, Turn, Wants};
use crate::refusal::Refusal;
use crate::wire::{Param, Params};

/// A call that judges rows 1 to 3 of the table in [`crate::authorize`]: client, redirect URI and parameters, but no
/// user.
#[derive(Debug)]
pub struct Precheck {
    /// The authorization request.
    pub params: Params,
}

impl Call for Precheck {
    type Yes = ();

    fn wants(&self) -> Wants {
        Wants::of(self.params.value(Param::ClientId).map(|client_id| Key::Client(client_id.to_owned())))
    }

    fn decide(&self, facts: &Facts, turn: &mut Turn<'_>) -> Result<(), Refusal> {
        let way = ReturnPath::find(&self.params, facts, turn)?;
        pushed::check_need(&self.params, way.client)?;
        Request::parse(&self.params, way.client, turn).map(drop)
    }
}
