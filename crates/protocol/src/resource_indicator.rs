//! Resource indicators, RFC 8707: decides which spellings identify the same resource.
//!
//! URL libraries add a slash to an origin or drop the default port, so identifiers are compared after the normalisation of
//! RFC 3986 §6.2.2 and §6.2.3. Answers have the configured spelling.

use std::borrow::Cow;

/// Returns the identifier in `known` for the same resource as `asked`. Prefers one with the same spelling.
pub fn find<'k>(known: impl Iterator<Item = &'k str> + Clone, asked: &str) -> Option<&'k str> {
    let exact = known.clone().find(|own| *own == asked);
    exact.or_else(|| {
        let asked = normalised(asked);
        known.into_iter().find(|own| normalised(own) == asked)
    })
}

/// Returns true if an identifier in `known` is for the same resource as `asked`.
#[must_use]
pub fn is_among(known: &[String], asked: &str) -> bool {
    find(known.iter().map(String::as_str), asked).is_some()
}

/// Returns the normal form in which resource identifiers are compared. Text that is no URI is compared unchanged.
#[must_use]
pub fn normalised(uri: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = uri.split_once(':') else { return Cow::Borrowed(uri) };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme {
        return Cow::Borrowed(uri);
    }
    let mut normal = format!("{}:", scheme.to_ascii_lowercase());
    let Some(after) = rest.strip_prefix("//") else {
        push_decoded(&mut normal, rest);
        return Cow::Owned(normal);
    };
    let (authority, path) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
    normal.push_str("//");
    push_authority(&mut normal, authority);
    let (path, query) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
    // RFC 3986 §6.2.3: "a URI that uses the generic syntax for authority with an empty path should be normalized to a
    // path of "/"".
    if path.is_empty() {
        normal.push('/');
    } else {
        let mut decoded = String::new();
        push_decoded(&mut decoded, path);
        push_without_dots(&mut normal, &decoded);
    }
    push_decoded(&mut normal, query);
    Cow::Owned(normal)
}

/// RFC 3986 §6.2.2.1: "the scheme and host are case-insensitive and therefore should be normalized to lowercase"; §6.2.3: a
/// port that is empty or the scheme's default should be left out.
fn push_authority(normal: &mut String, authority: &str) {
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    if let Some(user) = user {
        push_decoded(normal, user);
        normal.push('@');
    }
    // The last colon precedes the port, unless it is within the brackets of an IPv6 address.
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (place, ""),
    };
    let mut decoded = String::new();
    push_decoded(&mut decoded, &host.to_ascii_lowercase());
    let is_default = match normal.split_once(':').map(|(scheme, _)| scheme) {
        Some("https" | "wss") => port == "443",
        Some("http" | "ws") => port == "80",
        _ => false,
    };
    normal.push_str(&decoded.to_ascii_lowercase());
    if !port.is_empty() && !is_default {
        normal.push(':');
        normal.push_str(port);
    }
}

/// RFC 3986 §6.2.2.1 and §6.2.2.2: escapes are in upper case, and unreserved characters are not escaped.
fn push_decoded(normal: &mut String, text: &str) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        normal.push_str(before);
        let byte = after.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    normal.push(char::from(byte));
                } else {
                    normal.push_str(&format!("%{byte:02X}"));
                }
                rest = &after[2..];
            }
            None => {
                normal.push('%');
                rest = after;
            }
        }
    }
    normal.push_str(rest);
}

/// RFC 3986 §5.2.4, of an absolute path.
fn push_without_dots(normal: &mut String, path: &str) {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    for segment in kept {
        normal.push('/');
        normal.push_str(segment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_spellings_of_a_uri_are_one_rfc_3986_6_2_2_and_6_2_3() {
        for (one, other) in [
            ("https://api.example.com", "https://api.example.com/"),
            ("https://api.example.com", "HTTPS://API.Example.COM"),
            ("https://api.example.com/", "https://api.example.com:443"),
            ("https://api.example.com/", "https://api.example.com:/"),
            ("http://api.example.com/v1", "http://api.example.com:80/v1"),
            ("https://api.example.com/~a", "https://api.example.com/%7ea"),
            ("https://api.example.com/a%2fb", "https://api.example.com/a%2Fb"),
            ("https://api.example.com/b", "https://api.example.com/a/../b"),
            ("https://api.example.com/b/", "https://api.example.com/./b/c/.."),
            ("https://[::1]:8443/", "https://[::1]:8443"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]:443/"),
            ("https://api.example.com?x=%61", "https://api.example.com/?x=a"),
            ("URN:example:api", "urn:example:api"),
        ] {
            assert_eq!(normalised(one), normalised(other), "{one} {other}");
        }
    }

    #[test]
    fn other_resources_stay_others_rfc_3986_6_2() {
        for (one, other) in [
            ("https://api.example.com", "http://api.example.com"),
            ("https://api.example.com", "https://api.example.com:8443"),
            ("https://api.example.com", "https://api.example.com.evil.example"),
            ("https://api.example.com", "https://user@api.example.com"),
            ("https://api.example.com", "https://api.example.com\\"),
            ("https://api.example.com", "https:api.example.com"),
            ("https://api.example.com", "https:///api.example.com"),
            ("https://api.example.com/v1", "https://api.example.com/v1/"),
            ("https://api.example.com/v1", "https://api.example.com/V1"),
            ("https://api.example.com/a/b", "https://api.example.com/a%2Fb"),
            ("https://api.example.com/", "https://api.example.com/?"),
            ("https://api.example.com:443", "http://api.example.com:443"),
            ("urn:example:api", "urn:example:API"),
            ("api", "API"),
        ] {
            assert_ne!(normalised(one), normalised(other), "{one} {other}");
        }
    }

    #[test]
    fn the_known_spelling_is_found_and_the_same_one_first() {
        let known = ["https://api.example.com".to_owned(), "https://api.example.com/".to_owned()];
        let found = |asked| find(known.iter().map(String::as_str), asked);
        assert_eq!(found("https://api.example.com/"), Some("https://api.example.com/"));
        assert_eq!(found("https://API.example.com:443"), Some("https://api.example.com"));
        assert_eq!(found("https://other.example"), None);
    }
}
