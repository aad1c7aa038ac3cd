//! The sealing keys: a new one takes over in time, and every node hears of it.

use protocol::time::UnixTime;

use super::task::{Failure, Next, Node};
use crate::keys::rotate_older;

/// Makes a new sealing key if the newest one is as old as the operator wants.
pub(super) async fn rotate(node: &Node) -> Result<Next, Failure> {
    let app = &node.app;
    let moment = UnixTime(app.clock.now().0.saturating_sub_unsigned(app.settings.keys_rotate_every_s));
    let rotated = rotate_older(&*app.store, moment).await;
    rotated.map_err(|error| Failure::new("the sealing keys could not be rotated", &error))?;
    Ok(Next::Usual)
}

/// Takes over sealing keys that changed in the store.
pub(super) async fn reload(node: &Node) -> Result<Next, Failure> {
    let reloaded = node.app.reload_keys().await;
    reloaded.map_err(|fault| Failure::new("the sealing keys could not be read", &fault))?;
    Ok(Next::Usual)
}
