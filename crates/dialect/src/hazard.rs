//! The table of waivers. Each names a rule of an RFC that a surface breaks. The loader derives the waivers from the
//! dialect file. The file must declare exactly these, and the operator must accept them: two independent consents, so
//! that no surface is unsafe by accident.

use protocol::endpoint::Endpoint;
use protocol::model::GrantType;

use crate::rules::{Dialect, TokenLocation};

/// A rule of an RFC that a surface can break.
#[derive(Debug)]
pub struct Hazard {
    /// The waiver's name, as in `waives` of a dialect file and in `accept` of the operator's configuration.
    pub name: &'static str,
    /// The rule, quoted from the RFC.
    pub rule: &'static str,
    /// The RFC and section that the rule is quoted from.
    pub rfc: &'static str,
    /// The consequence of breaking the rule, in words for the operator.
    pub meaning: &'static str,
    is_in: fn(&Dialect) -> bool,
}

/// All waivers.
pub const HAZARDS: &[Hazard] = &[
    Hazard {
        name: "implicit-grant",
        rule: "clients SHOULD NOT use the implicit grant",
        rfc: "RFC 9700 §2.1.2",
        meaning: "Access tokens travel through the browser's address bar, where histories, referrers and scripts may see them, and nothing binds them to the client that asked.",
        is_in: |dialect| dialect.grants.contains(&GrantType::Implicit),
    },
    Hazard {
        name: "token-in-query",
        rule: "Clients MUST NOT pass access tokens in a URI query parameter",
        rfc: "RFC 9700 §4.3.2",
        meaning: "Access tokens stand in the query of URLs: in access logs, histories and Referer headers. Proxies in front must not log query strings.",
        is_in: is_token_in_query,
    },
    Hazard {
        name: "password-grant",
        rule: "The resource owner password credentials grant […] MUST NOT be used.",
        rfc: "RFC 9700 §2.4",
        meaning: "Users type their passwords into applications. Every application that may use this grant can do all that its users can.",
        is_in: |dialect| dialect.grants.contains(&GrantType::Password),
    },
    Hazard {
        name: "secret-in-query",
        rule: "The parameters can only be transmitted in the request-body and MUST NOT be included in the request URI.",
        rfc: "RFC 6749 §2.3.1",
        meaning: "Client secrets, codes and refresh tokens stand in the query of URLs. Proxies in front must not log query strings of this path.",
        is_in: |dialect| dialect.addresses.iter().any(|at| at.endpoint.row().takes_client && at.from.query),
    },
    Hazard {
        name: "token-by-get",
        rule: "The client MUST use the HTTP \"POST\" method when making access token requests.",
        rfc: "RFC 6749 §3.2",
        meaning: "Tokens are given out to GET requests, which caches, link previews and prefetching browsers may repeat.",
        is_in: |dialect| {
            let is_get = |method: &String| method == "GET";
            dialect.addresses.iter().any(|at| at.endpoint.row().takes_client && at.methods.iter().any(is_get))
        },
    },
    Hazard {
        name: "open-introspection",
        rule: "To prevent token scanning attacks, the endpoint MUST also require some form of authorization",
        rfc: "RFC 7662 §2.1",
        meaning: "Anybody who holds a token, or a guess, may ask what it is worth. Rate limits are what is left.",
        is_in: |dialect| dialect.is_open(Endpoint::Introspect),
    },
    Hazard {
        name: "open-revocation",
        rule: "The authorization server first validates the client credentials (in case of a confidential client)",
        rfc: "RFC 7009 §2.1",
        meaning: "Anybody who holds a token may end it, also a thief who wants to do harm.",
        is_in: |dialect| dialect.is_open(Endpoint::Revoke),
    },
    Hazard {
        name: "code-without-redirect-uri",
        rule: "ensure that the \"redirect_uri\" parameter is present if the \"redirect_uri\" parameter was included in the initial authorization request",
        rfc: "RFC 6749 §4.1.3",
        meaning: "A code is redeemed without naming the redirect URI that it was sent to, so that a code that leaked through another URI of the same client still works.",
        is_in: |dialect| dialect.addresses.iter().any(|at| dialect.is_redirect_uri_waived_at(at)),
    },
    Hazard {
        name: "token-without-expiry",
        rule: "Issue short-lived bearer tokens",
        rfc: "RFC 6750 §5.3",
        meaning: "An access token that leaks works until somebody notices and revokes it.",
        is_in: |dialect| dialect.tokens.access.ttl_s.is_none(),
    },
    Hazard {
        name: "refresh-without-expiry",
        rule: "Refresh tokens SHOULD expire if the client has been inactive for some time",
        rfc: "RFC 9700 §4.14.2",
        meaning: "A refresh token that leaks, or that its application forgot, works until somebody notices and revokes it.",
        is_in: is_refresh_without_expiry,
    },
];

/// Returns the waiver with this name.
#[must_use]
pub fn hazard(name: &str) -> Option<&'static Hazard> {
    HAZARDS.iter().find(|hazard| hazard.name == name)
}

/// Returns the rules that a surface breaks, in the order of the table.
pub(crate) fn derived(dialect: &Dialect) -> Vec<&'static Hazard> {
    HAZARDS.iter().filter(|hazard| (hazard.is_in)(dialect)).collect()
}

/// True if a refresh token has neither an idle time nor an absolute end.
fn is_refresh_without_expiry(dialect: &Dialect) -> bool {
    let tokens = &dialect.tokens;
    dialect.grants.contains(&GrantType::RefreshToken)
        && tokens.refresh.ttl_s.is_none()
        && tokens.refresh_absolute_ttl_s.is_none()
}

fn is_token_in_query(dialect: &Dialect) -> bool {
    dialect.is_implicit_in_query() || dialect.bearer.accept.iter().any(|place| matches!(place, TokenLocation::Query(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_rule_says_where_it_stands() {
        for hazard in HAZARDS {
            assert_eq!(HAZARDS.iter().filter(|other| other.name == hazard.name).count(), 1, "{}", hazard.name);
            assert!(hazard.rfc.starts_with("RFC ") && hazard.rfc.contains('§'), "{}", hazard.name);
        }
    }
}
