//! The trip of a browser to the upstream identity provider and back, OpenID Connect Core §3.1.2.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::crypto::entropy::Entropy;
use crate::crypto::keys::Keys;
use crate::person::browser::{PendingVisit, SealedVisit};
use crate::refusal::No;
use crate::secret::{Digest, Secret};
use crate::time::UnixTime;

/// A pending authentication request at the upstream identity provider, OpenID Connect Core §3.1.2. It is not stored. It
/// is sealed into the `state` of the request, bound to the browser, together with the pending visit.
#[derive(Clone, Debug)]
pub struct UpstreamTrip {
    /// The pending visit that continues when the browser comes back.
    pub pending: PendingVisit,
    /// The name of the dialect in which the visit began.
    pub dialect: String,
    /// The time at which the browser was sent to the identity provider. `None` if a node of version 0.1 sent it.
    pub left_at: Option<UnixTime>,
    verifier: Secret,
    nonce: String,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(rename = "parcel")]
    visit: SealedVisit,
    #[serde(default)]
    left_at: Option<UnixTime>,
    verifier: String,
    nonce: String,
}

const PURPOSE: &str = "departure";
/// Random bytes of the PKCE code verifier: 256 bits, as RFC 7636 §7.1 recommends. The nonce has 128 bits.
const VERIFIER_BYTES: usize = 32;
const NONCE_BYTES: usize = 16;
/// Maximum length of the `state` in bytes. RFC 9110 §4.1 recommends that recipients accept URIs of at least 8,000
/// bytes.
const STATE_BYTES_MAX: usize = 7_000;

impl UpstreamTrip {
    /// A request that is sent now, with a new code verifier and nonce.
    #[must_use]
    pub fn new(pending: PendingVisit, dialect: String, now: UnixTime, entropy: &mut Entropy) -> Self {
        let verifier = Secret::new(BASE64URL_NOPAD.encode(&entropy.bytes::<VERIFIER_BYTES>()));
        let nonce = BASE64URL_NOPAD.encode(&entropy.bytes::<NONCE_BYTES>());
        Self { pending, dialect, left_at: Some(now), verifier, nonce }
    }

    /// Returns the `state` parameter of the authentication request.
    ///
    /// # Errors
    /// [`No::UpstreamTooLong`] if the pending visit does not fit into a URL.
    pub fn state(&self, browser: &Digest, now: UnixTime, keys: &Keys, entropy: &mut Entropy) -> Result<String, No> {
        let sealed = Sealed {
            visit: self.pending.to_sealed(&self.dialect, now),
            left_at: self.left_at,
            verifier: self.verifier.reveal().to_owned(),
            nonce: self.nonce.clone(),
        };
        let plain = serde_json::to_vec(&sealed).expect("strings and numbers become JSON");
        let state = keys.seal(PURPOSE, &browser.0, &plain, entropy);
        if state.len() > STATE_BYTES_MAX { Err(No::UpstreamTooLong) } else { Ok(state) }
    }

    /// Opens the `state` that the browser brought back.
    ///
    /// # Errors
    /// [`No::UpstreamStale`] if the `state` is too old, was made for another browser, or is forged.
    pub fn open(state: &str, browser: &Digest, now: UnixTime, keys: &Keys) -> Result<Self, No> {
        // RFC 6749 §10.12: "The client MUST implement CSRF protection for its redirection URI." The seal opens only in the
        // browser for which it was made.
        let plain = keys.open(PURPOSE, &browser.0, state).ok_or(No::UpstreamStale)?;
        let Sealed { visit, left_at, verifier, nonce } =
            serde_json::from_slice(&plain).map_err(|_| No::UpstreamStale)?;
        let (pending, dialect) = PendingVisit::from_sealed(visit, now).map_err(|_| No::UpstreamStale)?;
        Ok(Self { pending, dialect, left_at, verifier: Secret::new(verifier), nonce })
    }

    /// Returns the `code_challenge` of the authentication request, by the method S256 (RFC 7636 §4.2).
    #[must_use]
    pub fn challenge(&self) -> String {
        BASE64URL_NOPAD.encode(&self.verifier.digest().0)
    }

    /// Returns the `code_verifier` for the identity provider's token endpoint.
    #[must_use]
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }

    /// Returns the `nonce` that the ID token must have.
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::browser::Goal;
    use crate::policy::PAGE_TTL_S;
    use crate::sample::World;
    use crate::wire::{Param, Params};

    fn trip(goal: Goal) -> UpstreamTrip {
        let pending = PendingVisit { is_fresh_wanted: true, ..PendingVisit::new(goal, 7) };
        UpstreamTrip::new(pending, "standard".into(), UnixTime(1000), &mut Entropy::seeded([1; 32], 1))
    }

    fn visit_with(state: &str) -> Goal {
        let mut params = Params::default();
        params.push(Param::State, state.to_owned()).unwrap();
        Goal::Authorize(Box::new(params))
    }

    #[test]
    fn a_browser_comes_back_with_all_that_it_left_with() {
        let (world, browser) = (World::new(), Digest::of(b"browser"));
        let left = trip(visit_with("a b&c"));
        let state = left.state(&browser, world.now, &world.keys, &mut Entropy::seeded([2; 32], 1)).unwrap();
        let back = UpstreamTrip::open(&state, &browser, world.now, &world.keys).unwrap();
        assert_eq!(
            (back.dialect.as_str(), back.nonce(), back.challenge()),
            ("standard", left.nonce(), left.challenge())
        );
        assert_eq!(back.verifier(), left.verifier());
        let Goal::Authorize(params) = &back.pending.goal else { panic!("it was an application's") };
        assert_eq!(
            (params.value(Param::State), back.pending.began, back.pending.is_fresh_wanted),
            (Some("a b&c"), 7, true)
        );
        assert!(!state.contains(left.nonce()) && !state.contains(left.verifier().reveal()));
    }

    /// RFC 6749 §10.12: the state "binds the request to the user-agent's authenticated state".
    #[test]
    fn a_state_opens_in_its_own_browser_in_time_and_whole_rfc_6749_10_12() {
        let (world, browser) = (World::new(), Digest::of(b"browser"));
        let left = trip(Goal::Page("/account".into()));
        let state = left.state(&browser, world.now, &world.keys, &mut Entropy::seeded([2; 32], 1)).unwrap();
        let open =
            |state: &str, browser: &[u8], now| UpstreamTrip::open(state, &Digest::of(browser), now, &world.keys).err();
        assert_eq!(open(&state, b"browser", world.now), None);
        assert_eq!(open(&state, b"another", world.now), Some(No::UpstreamStale));
        assert_eq!(open(&state, b"browser", world.now.plus(PAGE_TTL_S)), Some(No::UpstreamStale));
        assert_eq!(open(&state[1..], b"browser", world.now), Some(No::UpstreamStale));
        // The seal of a page is not accepted as a `state`, nor a `state` as the seal of a page.
        let page = left.pending.seal("standard", &browser, world.now, &world.keys, &mut Entropy::seeded([3; 32], 1));
        assert_eq!(open(&page, b"browser", world.now), Some(No::UpstreamStale));
        assert!(PendingVisit::open(&state, &browser, world.now, &world.keys).is_err());
    }

    /// Nodes of earlier versions open what this one seals, and the other way round.
    #[test]
    fn what_is_sealed_keeps_the_names_of_earlier_versions() {
        let (world, browser) = (World::new(), Digest::of(b"browser"));
        let left = trip(Goal::Page("/account".into()));
        let names = |members: &serde_json::Value| {
            let mut names: Vec<String> = members.as_object().unwrap().keys().cloned().collect();
            names.sort();
            names.join(" ")
        };
        let state = left.state(&browser, world.now, &world.keys, &mut Entropy::seeded([2; 32], 1)).unwrap();
        let sealed = world.keys.open("departure", &browser.0, &state).unwrap();
        let sealed: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
        assert_eq!(names(&sealed), "left_at nonce parcel verifier");
        let page = left.pending.seal("standard", &browser, world.now, &world.keys, &mut Entropy::seeded([3; 32], 1));
        let page = world.keys.open("errand", &browser.0, &page).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&page).unwrap(), sealed["parcel"]);
        let expected = "began begun dialect is_confirmation is_fresh_wanted link page params shown until user";
        assert_eq!(names(&sealed["parcel"]), expected);
    }

    #[test]
    fn a_pending_visit_that_does_not_fit_into_an_address_stays_here() {
        let (world, browser) = (World::new(), Digest::of(b"browser"));
        let long = trip(visit_with(&"x".repeat(8_000)));
        let state = long.state(&browser, world.now, &world.keys, &mut Entropy::seeded([2; 32], 1));
        assert_eq!(state.unwrap_err(), No::UpstreamTooLong);
    }

    /// RFC 7636 §4.2: `BASE64URL-ENCODE(SHA256(ASCII(code_verifier)))`.
    #[test]
    fn the_challenge_is_the_verifier_s_rfc_7636_4_2() {
        let left = trip(Goal::Page("/account".into()));
        assert_eq!(left.verifier().reveal().len(), 43);
        let digest = crate::pkce::challenge(&left.challenge(), Some("S256")).unwrap();
        assert!(crate::pkce::verify(Some(digest), Some(left.verifier().reveal())).is_ok());
    }
}
