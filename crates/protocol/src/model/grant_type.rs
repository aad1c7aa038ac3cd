//! The table of grant types: every way to obtain a token, who may have it, and what it needs.

use serde::{Deserialize, Serialize};

use super::ClientKind;
use crate::wire::Param as P;

/// A way to obtain a token, by the RFC's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1
    AuthorizationCode,
    /// RFC 6749 §6
    RefreshToken,
    /// RFC 6749 §4.4
    ClientCredentials,
    /// RFC 6749 §4.2
    Implicit,
    /// RFC 6749 §4.3
    Password,
    /// RFC 7521 §4.1 and RFC 7523 §2.1
    Assertion,
}

/// A row of the table of grant types.
#[derive(Clone, Copy, Debug)]
pub struct GrantTypeRow {
    /// The grant type.
    pub grant: GrantType,
    /// The name in rows, dialect files and commands. It is the word of the RFCs, unless that is a URN.
    pub name: &'static str,
    /// The values of `grant_type` for it at the token endpoint. Empty for a grant type that does not use the token
    /// endpoint.
    pub words: &'static [&'static str],
    /// The parameters without which a token request of it means nothing. No other grant type has them.
    pub needs: &'static [P],
    /// The other parameters that a token request of it can have.
    pub reads: &'static [P],
    /// The `response_type` for it at the authorization endpoint. A client with such a grant type needs a redirect URI.
    pub response_type: Option<&'static str>,
    /// True if self-registered applications may have the grant type.
    pub is_open_to_self_registered: bool,
    /// True if only confidential clients may have the grant type.
    pub is_for_confidential_only: bool,
    /// True if a refresh token may be issued with the first access token.
    pub gives_refresh_token: bool,
}

/// The default columns of a row, which allow nothing.
const CLOSED: GrantTypeRow = GrantTypeRow {
    grant: GrantType::AuthorizationCode,
    name: "",
    words: &[],
    needs: &[],
    reads: &[],
    response_type: None,
    is_open_to_self_registered: false,
    is_for_confidential_only: false,
    gives_refresh_token: false,
};

/// The table of grant types, in the usual order.
const TABLE: &[GrantTypeRow] = &[
    GrantTypeRow {
        grant: GrantType::AuthorizationCode,
        name: "authorization_code",
        words: &["authorization_code"],
        needs: &[P::Code],
        reads: &[P::RedirectUri, P::CodeVerifier],
        response_type: Some("code"),
        is_open_to_self_registered: true,
        gives_refresh_token: true,
        ..CLOSED
    },
    GrantTypeRow {
        grant: GrantType::RefreshToken,
        name: "refresh_token",
        words: &["refresh_token"],
        needs: &[P::RefreshToken],
        reads: &[P::Scope, P::Resource],
        is_open_to_self_registered: true,
        gives_refresh_token: true,
        ..CLOSED
    },
    GrantTypeRow {
        grant: GrantType::ClientCredentials,
        name: "client_credentials",
        words: &["client_credentials"],
        reads: &[P::Scope, P::Resource],
        // RFC 6749 §4.4: "The client credentials grant type MUST only be used by confidential clients."
        is_for_confidential_only: true,
        // RFC 6749 §4.4.3: "A refresh token SHOULD NOT be included."
        gives_refresh_token: false,
        ..CLOSED
    },
    GrantTypeRow {
        grant: GrantType::Implicit,
        name: "implicit",
        response_type: Some("token"),
        is_open_to_self_registered: true,
        // RFC 6749 §4.2.2: "The authorization server MUST NOT issue a refresh token."
        gives_refresh_token: false,
        ..CLOSED
    },
    GrantTypeRow {
        grant: GrantType::Password,
        name: "password",
        words: &["password"],
        needs: &[P::Username, P::Password],
        reads: &[P::Otp, P::Scope, P::Resource],
        gives_refresh_token: true,
        ..CLOSED
    },
    GrantTypeRow {
        grant: GrantType::Assertion,
        name: "assertion",
        words: &[GrantType::JWT_BEARER],
        needs: &[P::Assertion],
        reads: &[P::Scope, P::Resource],
        gives_refresh_token: true,
        ..CLOSED
    },
];

impl GrantType {
    /// Every grant type, in the usual order.
    pub const ALL: &[Self] = &{
        let mut all = [Self::AuthorizationCode; TABLE.len()];
        let mut at = 0;
        while at < TABLE.len() {
            all[at] = TABLE[at].grant;
            at += 1;
        }
        all
    };

    /// The `grant_type` of RFC 7523 §2.1.
    pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

    /// Returns the row of the table.
    #[must_use]
    pub const fn row(self) -> &'static GrantTypeRow {
        // The rows have the order of the enum. A test checks that.
        &TABLE[self as usize]
    }

    /// Returns the word of the RFCs. For the assertion grant, whose word is a URN, returns the name in dialect files
    /// and commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// Returns the grant type with this name or this `grant_type`.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == text || row.words.contains(&text)).map(|row| row.grant)
    }

    /// Returns true if the grant type uses the authorization endpoint and a redirect URI.
    #[must_use]
    pub const fn is_by_redirect(self) -> bool {
        self.row().response_type.is_some()
    }

    /// Returns true if a client of this kind may have the grant type.
    #[must_use]
    pub fn fits(self, kind: ClientKind) -> bool {
        !self.row().is_for_confidential_only || kind == ClientKind::Confidential
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_type_finds_its_own_row_and_its_words_find_it() {
        for row in TABLE {
            assert_eq!(row.grant.row().name, row.name);
            let document = serde_json::to_value(row.grant).unwrap();
            assert_eq!(document, row.name, "rows of clients have the same name");
            for word in row.words.iter().chain([&row.name]) {
                assert_eq!(GrantType::from_name(word), Some(row.grant));
            }
        }
        assert_eq!(GrantType::ALL.len(), TABLE.len());
    }

    #[test]
    fn what_a_grant_type_needs_tells_it_from_all_others() {
        for row in TABLE {
            for other in TABLE.iter().filter(|other| other.grant != row.grant) {
                let is_theirs = |param: &&P| other.needs.contains(param) || other.reads.contains(param);
                assert_eq!(row.needs.iter().find(is_theirs), None, "{} and {}", row.name, other.name);
            }
            assert!(row.needs.iter().all(|param| !row.reads.contains(param)), "{}", row.name);
            assert!(!row.words.is_empty() || row.needs.is_empty() && row.reads.is_empty(), "{}", row.name);
        }
    }

    #[test]
    fn a_self_registered_application_may_have_no_grant_type_but_these() {
        let open: Vec<&str> = TABLE.iter().filter(|row| row.is_open_to_self_registered).map(|row| row.name).collect();
        assert_eq!(open, ["authorization_code", "refresh_token", "implicit"]);
        const { assert!(!CLOSED.is_open_to_self_registered, "a new row is closed until it says otherwise") };
    }

    #[test]
    fn no_refresh_token_comes_of_the_implicit_grant_or_of_a_client_s_own_credentials_rfc_6749_4_2_2_and_4_4_3() {
        let given: Vec<&str> = TABLE.iter().filter(|row| row.gives_refresh_token).map(|row| row.name).collect();
        assert_eq!(given, ["authorization_code", "refresh_token", "password", "assertion"]);
    }
}
