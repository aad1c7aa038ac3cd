//! Tasks that rotate the sealing keys and the signing keys, and reload them on every node.

use protocol::time::UnixTime;

use super::task::{Failure, Next, Node};
use crate::keys::rotate_older;
use crate::signing_keys::Place;

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
    let reloaded = node.app.signer.reload(&*node.app.store, &node.app.keys()).await;
    reloaded.map_err(|fault| Failure::new("the signing keys could not be read", &fault))?;
    Ok(Next::Usual)
}

/// Makes, promotes and removes signing keys as it is due, if a surface of this node signs.
pub(super) async fn maintain_signing(node: &Node) -> Result<Next, Failure> {
    let app = &node.app;
    if !app.is_signing() {
        return Ok(Next::Never);
    }
    let keys = app.keys();
    let place = Place { store: &*app.store, keys: &keys, now: app.clock.now() };
    let maintained = place.maintain(app.settings.signing_keys_rotate_every_s).await;
    maintained.map_err(|error| Failure::new("the signing keys could not be maintained", &error))?;
    let reloaded = app.signer.reload(&*app.store, &keys).await;
    reloaded.map_err(|fault| Failure::new("the signing keys could not be read", &fault))?;
    Ok(Next::Usual)
}
