//! Changing a user or a client: read, change, replace if nobody else did so in between, and note it.

use std::sync::Arc;

use protocol::line::Write;
use protocol::model::{Client, EventKind, User};

use super::answer::Stop;
use super::desk::{Desk, Draft};

impl Desk {
    /// Changes a user. `alter` gives the words for the audit, and what else came of it.
    pub(super) async fn alter_user<T>(
        &self,
        name: &str,
        kind: EventKind,
        mut alter: impl FnMut(&mut User, &mut Draft) -> Result<(&'static str, T), Stop>,
    ) -> Result<(Arc<User>, T), Stop> {
        self.change(async |draft: &mut Draft| {
            let mut user = (*self.user(name).await?).clone();
            let (detail, outcome) = alter(&mut user, draft)?;
            user.version += 1;
            draft.write(Write::PutUser(Box::new(user.clone())));
            draft.note(kind, Some(user.key), None, detail);
            Ok((Arc::new(user), outcome))
        })
        .await
    }

    /// Changes a client, as [`Desk::alter_user`] does.
    pub(super) async fn alter_client<T>(
        &self,
        client_id: &str,
        mut alter: impl FnMut(&mut Client, &mut Draft) -> Result<(&'static str, T), Stop>,
    ) -> Result<(Arc<Client>, T), Stop> {
        self.change(async |draft: &mut Draft| {
            let mut client = (*self.client(client_id).await?).clone();
            let (detail, outcome) = alter(&mut client, draft)?;
            client.version += 1;
            draft.write(Write::PutClient(Box::new(client.clone())));
            draft.note(EventKind::ClientChanged, None, Some(client.key), detail);
            Ok((Arc::new(client), outcome))
        })
        .await
    }
}
