//! Do you really want to delete it? Says what will happen.

use protocol::model::Client;
use serde::Serialize;

use super::{Frame, PATH, application_path, people};
use crate::pages::Page;

/// The page.
#[derive(Serialize)]
pub(in crate::pages) struct Delete {
    account: Frame,
    name: String,
    path: String,
    connected: Option<String>,
}

impl Delete {
    /// The page about an application that so many people are connected with.
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
            ("developer_delete", Self::of(Frame::sample(PATH), "Importer", "importer", 1_204)),
            ("developer_delete_alone", Self::of(Frame::sample(PATH), "<b>Bold</b>", "a/b", 0)),
        ]
    }
}
