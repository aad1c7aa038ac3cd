//! An attempt to prove who somebody is.

use crate::model::{ClientKey, SessionId, UserKey};
use crate::person::device::Device;

/// An attempt to prove who somebody is, as it is known before rows are read. Together with the account it decides which
/// counters count a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The network address, as it is counted.
    pub address: String,
    /// The known devices that the browser proves to be.
    pub devices: Vec<Device>,
    /// The session, where somebody who is signed in completely must confirm who they are.
    pub session: Option<SessionId>,
    /// The client for which the user signs in. It is for the audit events, and decides no counter.
    pub client: Option<ClientKey>,
}

impl Attempt {
    /// An attempt of a program, which is no known device of anybody's.
    #[must_use]
    pub fn from_address(address: &str) -> Self {
        Self { address: address.to_owned(), ..Self::default() }
    }

    /// The same attempt, of a user who signs in for this client.
    #[must_use]
    pub fn of_client(self, client: ClientKey) -> Self {
        Self { client: Some(client), ..self }
    }

    /// The known device of this account that makes the attempt, if one does.
    #[must_use]
    pub fn device(&self, account: Option<UserKey>) -> Option<&Device> {
        self.devices.iter().find(|device| Some(device.user) == account)
    }
}
