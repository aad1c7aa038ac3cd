//! An attempt to sign in or to confirm an identity, as the brute-force counters see it.

use crate::model::{ClientKey, SessionId, UserKey};
use crate::person::device::Device;

/// An attempt to sign in or to confirm an identity, as the request alone describes it. Together with the account it
/// determines which brute-force counters a failure adds to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The client's network address, in the form in which failures are counted.
    pub address: String,
    /// The known devices that the browser's device cookie proves, one for each user.
    pub devices: Vec<Device>,
    /// The session of a completely signed-in user who must confirm their identity.
    pub session: Option<SessionId>,
    /// The client for which the user signs in. It is for the audit events, and decides no counter.
    pub client: Option<ClientKey>,
}

impl Attempt {
    /// An attempt without a browser: no known device and no session.
    #[must_use]
    pub fn from_address(address: &str) -> Self {
        Self { address: address.to_owned(), ..Self::default() }
    }

    /// The same attempt, of a user who signs in for this client.
    #[must_use]
    pub fn of_client(self, client: ClientKey) -> Self {
        Self { client: Some(client), ..self }
    }

    /// Returns the known device of this account from which the attempt comes, if any.
    #[must_use]
    pub fn device(&self, account: Option<UserKey>) -> Option<&Device> {
        self.devices.iter().find(|device| Some(device.user) == account)
    }
}
