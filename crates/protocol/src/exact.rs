//! Reads JSON and keeps numbers exactly, or refuses them. A JSON parser with 64-bit numbers silently rounds longer ones
//! (RFC 8259 §6), and a rounded account number may belong to somebody else.

use serde_json::Value;

/// The reason why a text was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inexact {
    /// The text is not valid JSON.
    Malformed,
    /// A number would be rounded. Contains the path of the member and the number, such as `limits.links =
    /// 18446744073709551616`.
    Number(String),
}

/// Reads a JSON value.
///
/// # Errors
/// [`Inexact`].
pub fn read(text: &[u8]) -> Result<Value, Inexact> {
    let number = || Scan { text, at: 0, path: Vec::new() }.value();
    match serde_json::from_slice(text) {
        Ok(value) => number().map_or(Ok(value), |number| Err(Inexact::Number(number))),
        // The parser stops at a number that is too large, so the text before it is valid.
        Err(error) if error.to_string().starts_with("number out of range") => {
            Err(number().map_or(Inexact::Malformed, Inexact::Number))
        }
        Err(_) => Err(Inexact::Malformed),
    }
}

/// Scans text that is known to be valid JSON and not nested deeper than the parser allows.
struct Scan<'t> {
    text: &'t [u8],
    at: usize,
    path: Vec<String>,
}

impl Scan<'_> {
    /// Skips a value. Returns the first number in it that would be rounded.
    fn value(&mut self) -> Option<String> {
        self.space();
        match self.text.get(self.at)? {
            b'{' => self.members(true),
            b'[' => self.members(false),
            b'"' => {
                self.string();
                None
            }
            byte if byte.is_ascii_digit() || *byte == b'-' => self.number(),
            _ => {
                self.skip(|byte| byte.is_ascii_alphabetic());
                None
            }
        }
    }

    fn members(&mut self, is_object: bool) -> Option<String> {
        self.at += 1;
        for index in 0_usize.. {
            self.space();
            match self.text.get(self.at)? {
                b'}' | b']' => break,
                b',' => self.at += 1,
                _ => {}
            }
            self.space();
            let name = if is_object { self.string() } else { index.to_string() };
            if is_object {
                self.space();
                self.at += 1;
            }
            self.path.push(name);
            if let Some(number) = self.value() {
                return Some(number);
            }
            self.path.pop();
        }
        self.at += 1;
        None
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.text.get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                break;
            }
        }
        serde_json::from_slice(self.text.get(start..self.at).unwrap_or_default()).unwrap_or_default()
    }

    fn number(&mut self) -> Option<String> {
        let start = self.at;
        self.skip(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
        let text = std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default();
        if is_exact(text) {
            return None;
        }
        let path = self.path.join(".");
        Some(if path.is_empty() { text.to_owned() } else { format!("{path} = {text}") })
    }

    fn space(&mut self) {
        self.skip(|byte| byte.is_ascii_whitespace());
    }

    fn skip(&mut self, is_passed: impl Fn(u8) -> bool) {
        while self.text.get(self.at).is_some_and(|byte| is_passed(*byte)) {
            self.at += 1;
        }
    }
}

/// Returns true if parsing keeps the number exactly: it is a 64-bit integer, or a fraction that is formatted with the
/// same digits again.
fn is_exact(text: &str) -> bool {
    if !text.contains(['.', 'e', 'E']) {
        return text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    }
    text.parse::<f64>().is_ok_and(|number| number.is_finite() && decimal(text) == decimal(&format!("{number:e}")))
}

/// Returns the digits of a number without zeros at either end, and the power of ten of the last digit.
fn decimal(text: &str) -> Option<(String, i64)> {
    let text = text.trim_start_matches('-');
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let kept = all.trim_end_matches('0');
    let exponent: i64 = exponent.parse().ok()?;
    let shift = i64::try_from(all.len() - kept.len()).ok()? - i64::try_from(fraction.len()).ok()?;
    let digits = kept.trim_start_matches('0');
    Some(if digits.is_empty() { (String::new(), 0) } else { (digits.to_owned(), exponent.checked_add(shift)?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn number(text: &str) -> String {
        match read(text.as_bytes()) {
            Err(Inexact::Number(number)) => number,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_number_beyond_every_reader_is_named_and_not_taken_for_text() {
        for text in ["1e400", "{\"a\":1e400}", "{\"a\":-1e400", "[0,1e999]"] {
            assert!(number(text).contains('e'), "{text}: {}", number(text));
            assert!(!number(text).contains("Malformed"), "{text}");
        }
    }

    #[test]
    fn numbers_that_fit_are_kept_rfc_8259_6() {
        for text in [
            "0",
            "-1",
            "9007199254740993",
            "18446744073709551615",
            "-9223372036854775808",
            "0.1",
            "1.50",
            "1e22",
            "-2.5E-3",
            "0.0",
            "-0.0",
            "1e0",
            "123456.789",
            "[1,2.5,{\"a\":[3]}]",
            "{}",
            "[]",
            "\"18446744073709551616\"",
            "{\"a\\\"b\":1}",
            " true ",
        ] {
            assert_eq!(read(text.as_bytes()), Ok(serde_json::from_str(text).unwrap()), "{text}");
        }
        assert_eq!(read(b"18446744073709551615").unwrap().to_string(), "18446744073709551615");
    }

    #[test]
    fn a_number_that_would_be_rounded_is_refused_with_its_path_rfc_8259_6() {
        assert_eq!(number("123456789012345678901234"), "123456789012345678901234");
        assert_eq!(number("18446744073709551616"), "18446744073709551616");
        assert_eq!(number("-9223372036854775809"), "-9223372036854775809");
        assert_eq!(number("0.12345678901234567890"), "0.12345678901234567890");
        assert_eq!(number("1e-400"), "1e-400");
        let nested = r#"{"plan":"x{\"1\":","limits":{"a":[1, {"b" : 100000000000000000000}]}}"#;
        assert_eq!(number(nested), "limits.a.1.b = 100000000000000000000");
    }

    #[test]
    fn what_is_no_json_is_told_apart() {
        for text in ["", "{", "plan", "1 2", "01", "1.", "--1"] {
            assert_eq!(read(text.as_bytes()), Err(Inexact::Malformed), "{text}");
        }
        assert_eq!(read(b"{\"a\":\"b\"}"), Ok(json!({"a": "b"})));
    }
}
