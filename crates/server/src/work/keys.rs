//! Tasks that rotate the sealing keys and reload them on every node.

use protocol::time::UnixTime;

use super::task::{Failure, Next, Node};
use crate::keys::rotate_older;

/// Makes a new sealing key if the newest one has reached the configured age.
pub(super) async fn rotate(node: &Node) -> Result<Next, Failure> {
    let app = &node.app;
    let moment = UnixTime(app.clock.now().0.saturating_sub_unsigned(app.settings.keys_rotate_every_s));
    let rotated = rotate_older(&*app.store, moment).await;
    rotated.map_err(|error| Failure::new("the sealing keys could not be rotated", &error))?;
    Ok(Next::Usual)
}

/// Reloads the sealing keys from the store.
pub(super) async fn reload(node: &Node) -> Result<Next, Failure> {
    let reloaded = node.app.reload_keys().await;
    reloaded.map_err(|fault| Failure::new("the sealing keys could not be read", &fault))?;
    Ok(Next::Usual)
}
