//! The rotation of signing keys. A key is published as the next one before it signs, and stays published after another one took
//! over. So a key set that somebody fetched a moment ago verifies every token. Nothing here makes a key: that draws randomness.

use crate::jose::Algorithm;
use crate::jose::sign::SIGNED_TTL_S_MAX;
use crate::line::Write;
use crate::model::{SigningKey, SigningKeyState};
use crate::time::UnixTime;

/// How long the key set may be cached, in seconds.
pub const KEY_SET_AGE_S: u64 = 60 * 60;
/// How long a key must have been published before it signs, in seconds: the age of a cached key set, and time for every node to
/// read the key from the store.
pub const PUBLISHED_FOR_S: u64 = KEY_SET_AGE_S + 5 * 60;
/// How long a retired key stays published, in seconds: 30 days. That is longer than any token is valid. The rest is for ID tokens
/// that come back as a hint: OpenID Connect RP-Initiated Logout §2 has them accepted after they expired.
pub const RETIRED_FOR_S: u64 = 30 * 24 * 60 * 60;

const _: () =
    assert!(RETIRED_FOR_S > SIGNED_TTL_S_MAX + KEY_SET_AGE_S, "a key is published until its tokens have expired");

/// Returns the algorithms without an active key. Keys for them must be made before anything is signed or the key set is told.
#[must_use]
pub fn lacking(rows: &[SigningKey], state: SigningKeyState) -> Vec<Algorithm> {
    Algorithm::ALL.iter().copied().filter(|algorithm| find(rows, *algorithm, state).is_none()).collect()
}

/// Returns the key of an algorithm in a state, the one with the smallest number.
fn find(rows: &[SigningKey], algorithm: Algorithm, state: SigningKeyState) -> Option<&SigningKey> {
    rows.iter().find(|row| row.known_algorithm() == Some(algorithm) && row.state() == state)
}

/// Returns the writes that let the next key of an algorithm sign and retire the active one. Returns none if there is no next
/// key.
#[must_use]
pub fn promote(rows: &[SigningKey], algorithm: Algorithm, now: UnixTime) -> Vec<Write> {
    let Some(next) = find(rows, algorithm, SigningKeyState::Next) else { return Vec::new() };
    let put = |row: SigningKey| Write::PutSigningKey(Box::new(SigningKey { version: row.version + 1, ..row }));
    let active = find(rows, algorithm, SigningKeyState::Active);
    let retired = active.map(|active| put(SigningKey { retired_at: Some(now), ..active.clone() }));
    retired.into_iter().chain([put(SigningKey { active_at: Some(now), ..next.clone() })]).collect()
}

/// Returns the algorithms whose active key has signed for `every_s` seconds and whose next key everybody can know.
#[must_use]
pub fn due(rows: &[SigningKey], every_s: u64, now: UnixTime) -> Vec<Algorithm> {
    let is_due = |algorithm: &Algorithm| {
        let active_at = find(rows, *algorithm, SigningKeyState::Active).and_then(|active| active.active_at);
        active_at.is_some_and(|since| now.is_past(since.plus(every_s))) && wait_s(rows, *algorithm, now) == Some(0)
    };
    Algorithm::ALL.iter().copied().filter(is_due).collect()
}

/// Returns the time in seconds until the next key of an algorithm has been published for long enough to sign; `None` if there is
/// no next key.
#[must_use]
pub fn wait_s(rows: &[SigningKey], algorithm: Algorithm, now: UnixTime) -> Option<u64> {
    let next = find(rows, algorithm, SigningKeyState::Next)?;
    Some(now.seconds_until(next.created_at.plus(PUBLISHED_FOR_S)))
}

/// Returns the numbers of the retired keys that no valid token needs.
#[must_use]
pub fn outlived(rows: &[SigningKey], now: UnixTime) -> Vec<u32> {
    let is_outlived =
        |row: &&SigningKey| row.retired_at.is_some_and(|retired_at| now.is_past(retired_at.plus(RETIRED_FOR_S)));
    rows.iter().filter(is_outlived).map(|row| row.number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const EVERY_S: u64 = 90 * 86_400;

    fn row(number: u32, active_at: Option<UnixTime>, retired_at: Option<UnixTime>) -> SigningKey {
        SigningKey {
            number,
            version: 1,
            algorithm: "ES256".to_owned(),
            kid: format!("kid-{number}"),
            sealed: String::new(),
            created_at: NOW,
            active_at,
            retired_at,
        }
    }

    fn states(rows: &[SigningKey], writes: &[Write]) -> Vec<(u32, SigningKeyState)> {
        let mut rows = rows.to_vec();
        for write in writes {
            let Write::PutSigningKey(row) = write else { panic!("it changes keys") };
            let own = rows.iter_mut().find(|own| own.number == row.number).unwrap();
            assert_eq!(own.version + 1, row.version, "a second node that does the same loses");
            *own = (**row).clone();
        }
        rows.iter().map(|row| (row.number, row.state())).collect()
    }

    #[test]
    fn the_next_key_signs_and_the_active_one_retires_in_one_turn() {
        use SigningKeyState::{Active, Next, Retired};
        let rows = [row(1, Some(NOW), Some(NOW)), row(2, Some(NOW), None), row(3, None, None)];
        assert_eq!(states(&rows, &[]), [(1, Retired), (2, Active), (3, Next)]);
        let writes = promote(&rows, Algorithm::Es256, NOW.plus(9));
        assert_eq!(states(&rows, &writes), [(1, Retired), (2, Retired), (3, Active)]);
        assert_eq!(promote(&rows[..2], Algorithm::Es256, NOW), [], "an active key stays until there is a next one");
        assert_eq!(promote(&rows, Algorithm::Rs256, NOW), [], "the keys of another algorithm are not touched");
    }

    #[test]
    fn a_key_signs_only_when_every_cached_key_set_has_it() {
        let old = row(1, Some(UnixTime(NOW.0 - 100 * 86_400)), None);
        let rows = [old.clone(), row(2, None, None)];
        assert_eq!(due(&rows, EVERY_S, NOW.plus(PUBLISHED_FOR_S - 1)), []);
        assert_eq!(wait_s(&rows, Algorithm::Es256, NOW.plus(100)), Some(PUBLISHED_FOR_S - 100));
        assert_eq!(due(&rows, EVERY_S, NOW.plus(PUBLISHED_FOR_S)), [Algorithm::Es256]);
        assert_eq!(due(&[old], EVERY_S, NOW.plus(PUBLISHED_FOR_S)), []);
        let young = [row(1, Some(NOW), None), row(2, None, None)];
        assert_eq!(due(&young, EVERY_S, NOW.plus(EVERY_S - 1)), []);
    }

    #[test]
    fn a_retired_key_stays_until_all_its_tokens_have_expired() {
        let rows = [row(1, Some(NOW), Some(NOW)), row(2, Some(NOW), None)];
        assert_eq!(outlived(&rows, NOW.plus(RETIRED_FOR_S - 1)), Vec::<u32>::new());
        assert_eq!(outlived(&rows, NOW.plus(RETIRED_FOR_S)), [1]);
    }

    #[test]
    fn a_key_of_an_algorithm_that_only_a_newer_version_knows_is_left_alone() {
        let strange = SigningKey { algorithm: "ML-DSA-65".to_owned(), ..row(1, Some(UnixTime(0)), None) };
        assert_eq!(lacking(std::slice::from_ref(&strange), SigningKeyState::Active), Algorithm::ALL);
        assert_eq!(due(&[strange], EVERY_S, NOW), []);
        let missing = lacking(&[row(1, Some(NOW), None)], SigningKeyState::Active);
        assert_eq!(missing, [Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa]);
    }
}
