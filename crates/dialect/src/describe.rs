//! Describes a dialect in plain text, for `grantry dialect show`.

use std::fmt::Write;

use crate::hazard::hazard;
use crate::rules::{Dialect, form_text};

impl Dialect {
    /// Returns a description of the surface for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut out = String::new();
        let mut line = |label: &str, text: &str| {
            // Writing into a string cannot fail.
            let _ = writeln!(out, "{label:<12} {text}");
        };
        line("dialect", &self.name);
        line("hosts", &if self.hosts.is_empty() { "the issuer's".to_owned() } else { self.hosts.join(", ") });
        if !self.base_url.is_empty() {
            line("base", &self.base_url);
        }
        line("grants", &self.grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>().join(", "));
        for (word, sentence) in &self.scope.list {
            let by = if self.scope.is_operator_only(word) { " (only the operator gives it)" } else { "" };
            line("scope", &format!("{word}: {sentence}{by}"));
        }
        for (at, address) in self.addresses() {
            let role = at.endpoint.row().name;
            let name = if address.name == role { role.to_owned() } else { format!("{} ({role})", address.name) };
            line("endpoint", &format!("{name}: {} {}", address.methods.join(" "), address.path));
        }
        let tokens = &self.tokens;
        for (kind, policy) in [
            ("code", &tokens.code),
            ("access", &tokens.access),
            ("refresh", &tokens.refresh),
            ("personal", &tokens.personal),
        ] {
            let life = policy.ttl_s.map_or_else(|| "until revoked".to_owned(), |ttl_s| format!("{ttl_s} s"));
            line("token", &format!("{kind}: {}, {life}", form_text(&policy.spelling)));
        }
        for own in self.spelled() {
            let forms = [("access", &own.access), ("refresh", &own.refresh)];
            for (kind, spelling) in forms {
                line("token", &format!("{kind} by {}: {}", own.grant.as_str(), form_text(spelling)));
            }
        }
        if self.waives.is_empty() {
            line("waives", "nothing");
        }
        for waiver in &self.waives {
            let row = hazard(waiver);
            line(
                "waives",
                &format!("{waiver} ({}): {}", row.map_or("", |row| row.rfc), row.map_or("", |row| row.meaning)),
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use crate::sample::standard;
    use expect_test::expect;

    #[test]
    fn the_standard_dialect_in_words() {
        expect![[r#"
            dialect      standard
            hosts        the issuer's
            grants       authorization_code, refresh_token, client_credentials
            scope        openid: Know that it is you
            scope        profile: See your name and user name
            scope        email: See your e-mail address
            scope        address: See your postal address
            scope        phone: See your telephone number
            scope        offline_access: Stay connected when you are not there
            endpoint     authorize: GET POST /oauth/authorize
            endpoint     par: POST /oauth/par
            endpoint     token: POST /oauth/token
            endpoint     introspect: POST /oauth/introspect
            endpoint     revoke: POST /oauth/revoke
            endpoint     userinfo: GET POST /oauth/userinfo
            endpoint     metadata: GET /.well-known/oauth-authorization-server
            endpoint     discovery: GET /.well-known/openid-configuration
            endpoint     jwks: GET /oauth/jwks
            token        code: {url}, 60 s
            token        access: {url}, 3600 s
            token        refresh: {url}, 2592000 s
            token        personal: {url}, until revoked
            waives       nothing
        "#]]
        .assert_eq(&standard().describe());
    }
}
