//! The page that asks for confirmation before an application is deleted.

use protocol::model::Client;
use serde::Serialize;

use super::path::application_path;
use super::visitor::people;
use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::page::Page;

/// The values for the template of the page.
#[derive(Serialize)]
pub(super) struct Delete {
    account: Frame,
    name: String,
    path: String,
    connected: Option<String>,
}

impl Delete {
    /// The page about an application. `connected` is the number of users who are connected with it.
    pub(super) fn new(account: Frame, client: &Client, connected: u32) -> Self {
        Self::of(account, &client.name, &client.client_id, connected)
    }

    fn of(account: Frame, name: &str, client_id: &str, connected: u32) -> Self {
        Self {
            account,
            name: name.to_owned(),
            path: application_path(client_id),
            connected: (connected > 0).then(|| people(connected)),
        }
    }
}

impl Page for Delete {
    const FILE: &'static str = "developer_delete.html";

    fn samples() -> Vec<(&'static str, Self)> {
        vec![
            ("developer_delete", Self::of(Frame::sample(paths::DEVELOPER), "Importer", "importer", 1_204)),
            ("developer_delete_alone", Self::of(Frame::sample(paths::DEVELOPER), "<b>Bold</b>", "a/b", 0)),
        ]
    }
}
