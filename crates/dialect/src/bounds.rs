//! Limits on all request parameters, wherever they are (query, body, header): number, length and characters.

use protocol::wire::Param;

/// Maximum number of parameters in a request, unknown ones included. Real requests have at most about twenty.
pub const PARAMETERS_MAX: usize = 64;
/// Maximum length of a parameter name, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Maximum length of a parameter value, in bytes. A signed JWT with usual claims fits.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;

/// Returns true if all characters of a value are allowed in this parameter. By RFC 6749 appendix A most parameters are
/// `VSCHAR` (printable ASCII), and names and passwords are `UNICODECHARNOCRLF`. Parameters that no RFC restricts may
/// contain any text without control characters.
pub(crate) fn is_allowed(param: Param, value: &str) -> bool {
    match param {
        Param::Username | Param::Password => !value.chars().any(|c| c.is_control() && c != '\t'),
        Param::RedirectUri => value.bytes().all(|b| b.is_ascii_graphic()),
        // `state` is returned unchanged, even with characters that RFC 6749 appendix A.5 does not allow. The scope
        // parser checks the characters of scopes.
        Param::State | Param::Scope => true,
        Param::LoginHint | Param::Prompt => !value.chars().any(char::is_control),
        _ => value.bytes().all(|b| (0x20..=0x7e).contains(&b)),
    }
}
