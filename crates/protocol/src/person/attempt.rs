//! An attempt to sign in or to confirm an identity, as the brute-force counters see it.

use crate::model::{SessionId, UserKey};
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
}

impl Attempt {
    /// An attempt without a browser: no known device and no session.
    #[must_use]
    pub fn from_address(address: &str) -> Self {
        Self { address: address.to_owned(), ..Self::default() }
    }

    /// Returns the known device of this account from which the attempt comes, if any.
    #[must_use]
    pub fn device(&self, account: Option<UserKey>) -> Option<&Device> {
        self.devices.iter().find(|device| Some(device.user) == account)
    }
}
