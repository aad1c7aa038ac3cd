//! What the log line of a refused request tells beside the name of the refusal. All of it is untrusted text, cut and escaped.

/// Maximum length of a method in a log line, in bytes. RFC 9110 §9.1 sets no limit, and a method may fill the whole header.
pub(super) const METHOD_BYTES_MAX: usize = 24;

/// What the log line of a refused request tells.
#[derive(Debug, Default)]
pub(crate) struct Details {
    /// The client ID that the request claims.
    pub(crate) claimed_client: Option<String>,
    /// How the request proves which client makes it.
    pub(crate) auth_method: Option<&'static str>,
    /// The parameter at fault.
    pub(crate) param: Option<&'static str>,
    /// Its value, if that is no secret.
    pub(crate) value: Option<String>,
    /// The path, for what is no endpoint.
    pub(crate) path: Option<String>,
    /// The media type of a body that could not be read.
    pub(crate) content_type: Option<String>,
    /// The host that was asked for, if it is not one of this server's.
    pub(crate) host: Option<String>,
    /// The hosts of this server, in that case.
    pub(crate) hosts: Option<String>,
}

/// Returns the beginning of untrusted text in printable ASCII, so that nobody can forge a line or move the cursor of a terminal.
pub(crate) fn cut(text: &[u8], bytes_max: usize) -> String {
    let mut out = text[..text.len().min(bytes_max)].escape_ascii().to_string();
    if text.len() > bytes_max {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_is_cut_and_printable() {
        assert_eq!(cut(b"evil.example", 100), "evil.example");
        assert_eq!(cut("a\nb\u{202e}\x1b[31m".as_bytes(), 100), "a\\nb\\xe2\\x80\\xae\\x1b[31m");
        assert_eq!(cut(&[b'x'; 1_000], 100).len(), 103);
    }
}
