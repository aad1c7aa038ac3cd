//! Checks that every name in a reply can have a value there. A name that never has one is refused, because its member
//! would silently be missing from every answer.

use protocol::resource::attributes::is_reserved;
use protocol::wire::{Field, ReplyKind};

use crate::file::File;
use crate::problem::listed;
use crate::reader::Reader;
use crate::rules::{Dialect, ReplyRules, Shape};
use crate::value::Name;

/// A purpose that a reply serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Answer(ReplyKind),
    /// Sends a browser from the authorization endpoint to the provider's own sign-in page.
    HandOff,
    Error,
}

impl Use {
    fn fields(self) -> &'static [Field] {
        match self {
            Self::Answer(kind) => kind.fields(),
            Self::HandOff => &[Field::RedirectUrl],
            Self::Error => &[Field::Error, Field::Message, Field::Fields],
        }
    }

    /// Returns true if `name` can have a value in a reply with this use.
    fn has(self, name: &Name) -> bool {
        let is_redirect = matches!(self, Self::Answer(ReplyKind::Code | ReplyKind::Implicit | ReplyKind::Denied));
        match name {
            Name::Field(Field::Status) | Name::TokenType => true,
            Name::Field(Field::RequestId) => !is_redirect,
            Name::Field(field) => self.fields().contains(field),
            Name::Scopes => self.fields().contains(&Field::Scope),
            Name::ExpiresInText | Name::ExpiresInMs => self.fields().contains(&Field::ExpiresIn),
            Name::ExpiresAtIso => self.fields().contains(&Field::ExpiresAt),
            Name::User(_) => self.fields().contains(&Field::User),
        }
    }

    /// Returns every name that can have a value in a reply with this use.
    fn words(self) -> Vec<&'static str> {
        Name::words().filter(|word| Name::parse(&word.replace('…', "x")).is_some_and(|name| self.has(&name))).collect()
    }
}

/// Returns the uses of a reply. A reply that the core asks for by kind has that use even if no endpoint leads to it at
/// present.
fn uses(reply: &ReplyRules, at: usize, dialect: &Dialect) -> Vec<Use> {
    let mut uses: Vec<Use> =
        ReplyKind::ALL.iter().filter(|kind| kind.as_str() == reply.name).map(|kind| Use::Answer(*kind)).collect();
    if reply.name == "error" || dialect.errors.iter().any(|error| error.reply == at) {
        uses.push(Use::Error);
    }
    if dialect.words.iter().any(|own| own.reply == Some(at)) {
        uses.push(Use::Answer(ReplyKind::Token));
    }
    for address in dialect.addresses.iter().filter(|own| own.reply == Some(at)) {
        // The answer of an endpoint has its name. The authorization endpoint has no answer of its own.
        let kind = ReplyKind::from_name(address.endpoint.row().name);
        uses.push(kind.map_or(Use::HandOff, Use::Answer));
    }
    uses
}

/// The claims below `user` that a surface can disclose; see [`protocol::resource::userinfo::claims`].
const CLAIMS: &[&str] = &["id", "active", "created_at", "name", "username", "email", "verified"];

/// Explains why a name below `user` never has a value: it is reserved for a claim that no surface discloses, or it is
/// nested deeper than claims are. `words` are the names that have a value in the same reply.
fn unknown_claim(name: &Name, words: &[&str]) -> Option<String> {
    let Name::User(path) = name else { return None };
    let (first, deeper) = path.split_first().filter(|(first, _)| is_reserved(first))?;
    let is_claim = CLAIMS.contains(&first.as_str());
    if deeper.is_empty() && (is_claim || first == "created_at_iso") {
        return None;
    }
    let plain = |word: &str| word.replace(['_', '-'], "").to_ascii_lowercase();
    let word = plain(first);
    let is = |own: &str| word == plain(own) || word.strip_suffix("iso") == Some(&plain(own));
    let near = match word.strip_suffix("iso").unwrap_or(&word) {
        "sub" if !words.contains(&"sub") => Some("user.id".to_owned()),
        "emailverified" => Some("user.verified".to_owned()),
        "preferredusername" => Some("user.username".to_owned()),
        _ => {
            let claim = CLAIMS.iter().find(|own| is(own)).map(|own| format!("user.{own}"));
            claim.or_else(|| words.iter().find(|own| is(own)).map(|own| (*own).to_owned()))
        }
    };
    let near = near.map(|near| format!(". Write `${near}`")).unwrap_or_default();
    Some(if is_claim && !deeper.is_empty() {
        format!("`{first}` is one value and has no members{near}")
    } else {
        format!("no attribute can be called `{first}`, and this server has no such claim{near}")
    })
}

/// Reports names that never have a value in the reply that contains them.
pub(super) fn check(dialect: &Dialect, file: &File, reader: &mut Reader<'_>) {
    for (at, reply) in dialect.replies.iter().enumerate() {
        let uses = uses(reply, at, dialect);
        let Some((name_spot, table)) = file.reply(&reply.name).map(|(name, table)| (name.spot, table)) else {
            continue;
        };
        // No endpoint leads to this reply; another check reports that.
        if uses.is_empty() {
            continue;
        }
        let body_spot = table.body.as_ref().map_or(name_spot, |body| body.spot);
        let in_headers = reply.headers.iter().flat_map(|(header, text)| {
            let value = table.headers.iter().find(|(own, _)| own.value == *header).map(|(_, value)| value.spot);
            text.names().into_iter().map(move |name| (name, value.unwrap_or(name_spot)))
        });
        let in_body = reply.shape.names().into_iter().map(|name| (name, body_spot));
        for (name, spot) in in_body.chain(in_headers) {
            let mut words: Vec<&str> = uses.iter().flat_map(|own| own.words()).collect();
            words.sort_unstable();
            words.dedup();
            if uses.iter().any(|own| own.has(name)) {
                if let Some(why) = unknown_claim(name, &words) {
                    reader.note(spot, format!("`${name}` never has a value: {why}"));
                }
                continue;
            }
            let text = format!(
                "`${name}` never has a value in `reply.{}`, so that it would be left out: remove it. Names with a value \
                 there are {}",
                reply.name,
                listed(&words)
            );
            reader.note(spot, text);
        }
        if matches!(reply.shape, Shape::Redirect(..)) && !reply.headers.is_empty() {
            reader
                .note(name_spot, format!("`reply.{}` redirects, and `headers` of a redirect are not sent", reply.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::problems;
    use expect_test::expect;

    /// Every use, with its description in the table of dialects/README.md.
    const ALL: &[(Use, &str)] = &[
        (Use::Answer(ReplyKind::Token), "`token`, and replies of a token endpoint or a grant"),
        (Use::Answer(ReplyKind::Par), "`par`, and replies of an endpoint for pushed authorization requests"),
        (Use::Answer(ReplyKind::Code), "`code`"),
        (Use::Answer(ReplyKind::Implicit), "`implicit`"),
        (Use::Answer(ReplyKind::Denied), "`denied`"),
        (Use::Answer(ReplyKind::Introspect), "`introspect`, and replies of an introspection endpoint"),
        (Use::Answer(ReplyKind::Inactive), "`inactive`"),
        (Use::Answer(ReplyKind::Revoke), "`revoke`, and replies of a revocation endpoint"),
        (Use::Answer(ReplyKind::Userinfo), "`userinfo`, and replies of a userinfo endpoint"),
        (Use::HandOff, "the reply of an authorization endpoint that sends the browser on"),
        (Use::Error, "`error`, and replies that `[error]` names"),
    ];

    #[test]
    fn every_endpoint_but_authorize_answers_with_the_reply_of_its_name() {
        for row in protocol::endpoint::TABLE {
            assert_eq!(ReplyKind::from_name(row.name).is_none(), row.name == "authorize", "{}", row.name);
        }
    }

    #[test]
    fn the_table_in_the_documentation_has_the_names_that_have_a_value() {
        let mut table = "| reply | names that can have a value |\n|---|---|\n".to_owned();
        for (own, words) in ALL {
            table += &format!("| {words} | `{}` |\n", own.words().join(" "));
        }
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dialects/README.md");
        #[allow(clippy::disallowed_methods, reason = "a test reads the documentation")]
        let readme = std::fs::read_to_string(file).unwrap();
        assert!(readme.contains(&table), "dialects/README.md needs this table:\n{table}");
    }

    #[test]
    fn a_name_that_never_has_a_value_in_its_reply_is_refused() {
        let told = |reply: &str, body: &str| {
            problems(
                "odd",
                &format!(
                    "grants = [\"authorization_code\"]\n[endpoint.authorize]\n[endpoint.token]\n[endpoint.userinfo]\n[reply.{reply}]\nbody = {body}\n"
                ),
            )
        };
        expect![[r#"
            x.toml:6:8: `$user.realm` never has a value in `reply.code`, so that it would be left out: remove it. Names with a value there are `code`, `iss`, `state`, `status`, `token_type`
        "#]]
        .assert_eq(&told("code", "\"code=$code&state=$state&realmId=$user.realm\""));
        for (reply, body) in [
            ("code", "'code=$code&state=$state&s=$scope'"),
            ("code", "'code=$code&state=$state&c=$client_id'"),
            ("code", "'code=$code&state=$state&r=$request_id'"),
            ("token", "'{\"a\":\"$access_token\",\"i\":\"$iat\"}'"),
            ("token", "'{\"a\":\"$access_token\",\"i\":[\"$code|$scope\"]}'"),
            ("token", "'{\"a\":\"$access_token\",\"i\":\"$scope_if_changed\"}'"),
            ("userinfo", "'{\"c\":\"$client_id\"}'"),
            ("userinfo", "'{\"c\":\"$sub\"}'\nheaders = { X-Ends = \"$exp\" }"),
            ("error", "'{\"c\":\"$scope\"}'"),
            ("denied", "'error=$error&state=$state&code=$code'"),
        ] {
            assert!(told(reply, body).contains(" never has a value in "), "{reply} {body}: {}", told(reply, body));
        }
        for (reply, body) in [
            (
                "token",
                "'{\"a\":\"$access_token\",\"u\":\"$user.plan.name\",\"e\":\"$expires_at_iso\",\"s\":\"$scopes\"}'",
            ),
            ("userinfo", "'{\"c\":\"$user.realm\",\"s\":\"$scope\",\"r\":\"$request_id\"}'"),
            ("error", "'{\"e\":\"$error\",\"f\":\"$fields\",\"s\":\"$status\"}'"),
        ] {
            assert_eq!(told(reply, body), "", "{reply} {body}");
        }
    }

    #[test]
    fn a_name_that_is_kept_for_a_claim_and_is_none_is_refused_with_the_claim() {
        let told = |reply: &str, name: &str| {
            problems(
                "odd",
                &format!(
                    "grants = [\"authorization_code\"]\n[endpoint.authorize]\n[endpoint.token]\n[endpoint.userinfo]\n[reply.{reply}]\nbody = '{{\"a\":\"$access_token|1\",\"x\":\"${name}\"}}'\n"
                ),
            )
            .lines()
            .filter(|line| line.contains(&format!("`${name}`")))
            .collect::<String>()
        };
        expect!["x.toml:6:8: `$user.email_verified` never has a value: no attribute can be called `email_verified`, and this server has no such claim. Write `$user.verified`"]
            .assert_eq(&told("token", "user.email_verified"));
        for (reply, name, near) in [
            ("token", "user.sub", "Write `$user.id`"),
            ("userinfo", "user.sub", "Write `$sub`"),
            ("userinfo", "user.preferred_username", "Write `$user.username`"),
            ("userinfo", "user.Email", "Write `$user.email`"),
            ("userinfo", "user.emailVerified", "Write `$user.verified`"),
            ("userinfo", "user.createdAt", "Write `$user.created_at`"),
            ("userinfo", "user.user_name", "Write `$user.username`"),
            ("userinfo", "user.email.domain", "Write `$user.email`"),
            ("userinfo", "user.name.first", "Write `$user.name`"),
            ("userinfo", "user.email_iso", "Write `$user.email`"),
            ("userinfo", "user.verified_iso", "Write `$user.verified`"),
            ("userinfo", "user.created_at_iso.x", "Write `$user.created_at`"),
            ("userinfo", "user.scope", "Write `$scope`"),
            ("userinfo", "user.iss.x", "no attribute can be called `iss`"),
            ("userinfo", "user.nonce", "no attribute can be called `nonce`"),
        ] {
            let told = told(reply, name);
            assert!(told.contains("never has a value: ") && told.contains(near), "{name}: {told}");
        }
        for name in CLAIMS.iter().copied().chain(["created_at_iso", "plan", "plan.name", "plan_iso", "plan.email.sub"])
        {
            assert_eq!(told("userinfo", &format!("user.{name}")), "", "{name}");
        }
    }
}
