//! Parses the values of options.

use data_encoding::{BASE64URL, BASE64URL_NOPAD};
use zeroize::Zeroizing;

/// Parses a duration such as `"90s"`, `"10m"`, `"2h"` or `"30d"` into seconds.
#[must_use]
pub fn duration(text: &str) -> Option<u64> {
    let unit_s = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 60 * 60,
        b'd' => 24 * 60 * 60,
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(unit_s)
}

/// Formats a duration in the largest unit that divides it.
#[must_use]
pub(crate) fn written_duration(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let fitting = units.into_iter().find(|(unit_s, _)| seconds >= *unit_s && seconds.is_multiple_of(*unit_s));
    fitting.map_or_else(|| format!("{seconds}s"), |(unit_s, unit)| format!("{}{unit}", seconds / unit_s))
}

/// Parses a master key: 32 bytes in base64url, with or without padding, and with or without a final line break.
///
/// # Errors
/// The fault, without quoting any of the text.
pub(super) fn master(text: &str) -> Result<Zeroizing<[u8; 32]>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty; `grantry init` makes one".to_owned());
    }
    let bytes =
        if text.ends_with('=') { BASE64URL.decode(text.as_bytes()) } else { BASE64URL_NOPAD.decode(text.as_bytes()) };
    let bytes = Zeroizing::new(bytes.map_err(|_| "it is not base64url (A-Z a-z 0-9 - _)".to_owned())?);
    let length = bytes.len();
    let key: [u8; 32] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| format!("it has {length} bytes and must have 32, which are 43 characters of base64url"))?;
    // A key of one repeated byte is a placeholder.
    if key.iter().all(|byte| *byte == key[0]) {
        return Err("it is a placeholder; `grantry init` makes a real one".to_owned());
    }
    Ok(Zeroizing::new(key))
}

/// Formats a master key as in its file.
#[must_use]
pub(crate) fn written_master(key: &[u8; 32]) -> Zeroizing<String> {
    Zeroizing::new(BASE64URL_NOPAD.encode(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        let cases = [("90s", 90), ("10m", 600), ("2h", 7200), ("30d", 2_592_000), ("0s", 0)];
        for (text, seconds) in cases {
            assert_eq!(duration(text), Some(seconds), "{text}");
        }
        for bad in ["", "s", "10", "10 m", "-1s", "1.5h", "1w", "+1s", "99999999999999999999d", "5µ"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_duration_is_written_in_its_largest_whole_unit() {
        for text in ["90s", "10m", "25h", "30d", "0s"] {
            assert_eq!(written_duration(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn a_master_key_survives_its_file_and_a_wrong_one_is_explained() {
        let mut key = [7; 32];
        key[0] = 1;
        let text = written_master(&key);
        assert_eq!(*master(&format!("{}\n", &*text)).unwrap(), key);
        assert_eq!(*master(&format!("{}=", &*text)).unwrap(), key);
        assert!(master("c2hvcnQ").unwrap_err().contains("has 5 bytes"));
        assert!(master("not base64!").unwrap_err().contains("not base64url"));
        assert!(master(" \n").unwrap_err().contains("empty"));
        assert!(master(&"A".repeat(43)).unwrap_err().contains("placeholder"));
    }
}
