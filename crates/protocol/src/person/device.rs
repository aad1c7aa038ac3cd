//! Known devices: browsers in which a user has signed in completely before.
//!
//! A known device has counters of its own for failed attempts, so that strangers cannot lock its owner out. The browser
//! keeps the proof in a sealed cookie, as OWASP's "device cookie" does; the server keeps no row for a device.

use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::line::Turn;
use crate::model::{User, UserKey};
use crate::secret::Digest;
use crate::time::UnixTime;

/// Lifetime of a known device after a sign-in, in seconds. Browsers keep no cookie for longer than 400 days
/// (draft-ietf-httpbis-rfc6265bis §5.5).
pub const DEVICE_TTL_S: u64 = 365 * 24 * 60 * 60;
/// Maximum number of users whose known device one browser can be. It keeps the cookie small on a computer that many
/// people share.
pub const DEVICES_MAX: usize = 5;

const PURPOSE: &str = "device";
const STAMP_BYTES: usize = 8;
/// Length of a device in the cookie, in bytes: user, id, stamp, expiry time.
const ENTRY_BYTES: usize = 32;

/// The proof that a user signed in completely in this browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The user.
    pub user: UserKey,
    /// Identifies the device among those of the user. It grows like a row id, so that [`User::revoked_below`] revokes
    /// devices as well.
    pub id: i64,
    /// Identifies the password and the second factor that the user signed in with.
    stamp: [u8; STAMP_BYTES],
    /// When the proof expires.
    until: UnixTime,
}

impl Device {
    /// A device for a user who just signed in completely.
    #[must_use]
    pub fn new(user: &User, turn: &mut Turn<'_>) -> Self {
        let (id, until) = (turn.entropy.next_id(), turn.now.plus(DEVICE_TTL_S));
        Self { user: user.key, id, stamp: stamp(user), until }
    }

    /// Returns true if the proof is still valid: password and second factor of the user are unchanged, and the user's
    /// sessions were not all revoked since.
    #[must_use]
    pub fn is_known_to(&self, user: &User) -> bool {
        self.user == user.key && self.id >= user.revoked_below && self.stamp == stamp(user)
    }
}

/// Returns a short digest of the user's password hash and second factor. A change of either invalidates known devices:
/// each device has its own guesses at the second factor, and whoever knew the old password must not keep them.
fn stamp(user: &User) -> [u8; STAMP_BYTES] {
    let seed = user.totp.as_ref().map_or("", |totp| totp.sealed_seed.as_str());
    let whole = Digest::of(format!("{}\0{seed}", user.password.as_deref().unwrap_or_default()).as_bytes());
    std::array::from_fn(|at| whole.0[at])
}

/// Makes the device cookie of a browser: `new`, followed by the devices of other users in `before`. The key is not
/// rotated with the sealing keys, because the cookie lives longer than they do.
#[must_use]
pub fn seal(new: &Device, before: &[Device], keys: &Keys, entropy: &mut Entropy) -> String {
    let others = before.iter().filter(|device| device.user != new.user);
    let plain: Vec<u8> = std::iter::once(new).chain(others).take(DEVICES_MAX).flat_map(entry).collect();
    keys.keep(PURPOSE, b"", &plain, entropy)
}

fn entry(device: &Device) -> Vec<u8> {
    let Device { user, id, stamp, until } = device;
    [&user.0.to_be_bytes()[..], &id.to_be_bytes(), stamp, &until.0.to_be_bytes()].concat()
}

/// Returns the unexpired devices in a device cookie; none if this server did not make the cookie.
#[must_use]
pub fn read(cookie: &str, now: UnixTime, keys: &Keys) -> Vec<Device> {
    let plain = keys.open_kept(PURPOSE, b"", cookie).unwrap_or_default();
    let (entries, _) = plain.as_chunks::<ENTRY_BYTES>();
    let devices = entries.iter().map(|entry| {
        let (words, _) = entry.as_chunks::<8>();
        let number = |at: usize| i64::from_be_bytes(words[at]);
        Device { user: UserKey(number(0)), id: number(1), stamp: words[2], until: UnixTime(number(3)) }
    });
    devices.filter(|device| !now.is_past(device.until)).take(DEVICES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, World};

    fn user(key: i64) -> User {
        User { key: UserKey(key), ..sample::user() }
    }

    #[test]
    fn a_cookie_brings_back_its_devices_until_they_expire_and_after_the_sealing_keys_were_rotated() {
        let world = World::new();
        let mut turn = world.turn();
        let devices = [1, 2].map(|key| Device::new(&user(key), &mut turn));
        let cookie = seal(&devices[1], &devices[..1], &world.keys, &mut turn.entropy);
        let (end, rotated) = (world.now.plus(DEVICE_TTL_S), Keys::derive(&[7; 32], &[9, 8]));
        assert_eq!(read(&cookie, UnixTime(end.0 - 1), &rotated), [devices[1].clone(), devices[0].clone()]);
        assert_eq!(read(&cookie, end, &rotated), []);
        assert_eq!(read(&cookie, world.now, &Keys::derive(&[8; 32], &[1])), []);
        assert_eq!(read("nonsense", world.now, &rotated), []);
    }

    #[test]
    fn a_browser_that_many_people_share_keeps_the_last_few() {
        let world = World::new();
        let mut turn = world.turn();
        let mut known = Vec::new();
        for key in 1..=9 {
            let device = Device::new(&user(key), &mut turn);
            let cookie = seal(&device, &known, &world.keys, &mut turn.entropy);
            known = read(&cookie, world.now, &world.keys);
        }
        assert_eq!(known.iter().map(|device| device.user.0).collect::<Vec<_>>(), [9, 8, 7, 6, 5]);
        // A user who signs in again replaces their own entry.
        let cookie = seal(&Device::new(&user(7), &mut turn), &known, &world.keys, &mut turn.entropy);
        let again: Vec<_> = read(&cookie, world.now, &world.keys).iter().map(|device| device.user.0).collect();
        assert_eq!(again, [7, 9, 8, 6, 5]);
    }

    #[test]
    fn a_device_is_unknown_after_a_change_of_password_or_second_factor_and_after_everything_was_revoked() {
        let world = World::new();
        let device = Device::new(&user(1), &mut world.turn());
        assert!(device.is_known_to(&User { name: "Another name".into(), version: 9, ..user(1) }));
        let totp = crate::model::Totp {
            sealed_seed: "sealed".into(),
            digits: 6,
            last_step: 0,
            recovery: vec![],
            enabled_at: world.now,
        };
        for changed in [
            user(2),
            User { password: Some("another hash".into()), ..user(1) },
            User { password: None, ..user(1) },
            User { totp: Some(totp), ..user(1) },
            User { revoked_below: device.id + 1, ..user(1) },
        ] {
            assert!(!device.is_known_to(&changed));
        }
    }
}
