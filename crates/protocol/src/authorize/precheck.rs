//! A surface whose authorization endpoint is an API sends the browser on to a page elsewhere. What is wrong with the request
//! is told at once, to the program that made it.

use super::request::Request;
use super::return_path::ReturnPath;
use crate::line::Call;
use crate::line::{Facts, Key, Turn, Wants};
use crate::refusal::Refusal;
use crate::wire::{Param, Params};

/// Rows 1 to 3 of the table, and nothing else.
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
        Request::parse(&self.params, way.client, turn).map(drop)
    }
}
