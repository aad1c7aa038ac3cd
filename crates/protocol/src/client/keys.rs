//! The public keys of a client, by value or by URL.

use std::sync::Arc;

use crate::jose::KeySet;
use crate::line::Turn;
use crate::model::Client;

/// Returns the public keys of a client, for a signature by the key `kid`. Keys at a URL are an outside document, which may not be
/// at hand.
pub(crate) fn find(client: &Client, kid: Option<&str>, turn: &mut Turn<'_>) -> Option<Arc<KeySet>> {
    match (&client.jwks, &client.jwks_uri) {
        (Some(own), _) => KeySet::parse(own.to_string().as_bytes()).map(Arc::new).ok(),
        (None, Some(url)) => turn.key_set(url, kid),
        (None, None) => None,
    }
}
