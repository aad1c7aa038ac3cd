//! Loads scopes, tokens, grants, bearer places, registration, screens and limits: everything except endpoints and
//! replies.

use protocol::crypto::keys::{Alphabet, Spelling};
use protocol::model::{ClientKind, GrantType, Pkce, RefreshMode};
use protocol::names::check_characters;
use protocol::policy::{ScopePolicy, TokenPolicy};
use protocol::scope::Scope;

use super::checks::{check_owned, check_segments, is_path, is_token_byte, one_of};
use crate::file::{BearerTable, ClientTable, File, ScopeTable, ScreenTable, TokenTable};
use crate::problem::suggestion;
use crate::reader::{Reader, Text};
use crate::rules::{
    BearerRules, Challenge, ClientRules, GrantRules, Limit, LimitBy, LimitHeaders, LimitRules, ReplyRules, ScreenRules,
    TokenLocation, TokenRules,
};

/// RFC 6749 §4.1.2: "A maximum authorization code lifetime of 10 minutes is RECOMMENDED." No dialect can go beyond.
const CODE_TTL_S_MAX: u64 = 600;

pub(super) fn scope(table: &ScopeTable, reader: &mut Reader<'_>) -> ScopePolicy {
    let mut list = Vec::new();
    for (word, sentence) in &table.list {
        match Scope::parse(&word.value) {
            Ok(scope) if scope.as_str() == word.value && scope.iter().count() == 1 => {
                list.push((word.value.clone(), sentence.value.clone()));
                if let Err(fault) = check_characters(&sentence.value) {
                    reader.note(sentence.spot, format!("the sentence of the scope `{}` {fault}", word.value));
                }
            }
            _ => reader.note(word.spot, format!("`{}` cannot be a scope: RFC 6749 §3.3", word.value)),
        }
    }
    if let Some(sep) = table.sep.as_ref().filter(|sep| sep.value.is_empty()) {
        reader.note(sep.spot, "`sep` is empty; it must be a character that no scope has, such as \" \" or \",\"");
    }
    let default = known(&table.default, &list, reader);
    let mut implies = Vec::new();
    for (word, implied) in &table.implies {
        known(std::slice::from_ref(word), &list, reader);
        implies.push((word.value.clone(), known(implied, &list, reader)));
    }
    let operator_only = known(&table.operator_only, &list, reader);
    ScopePolicy { list, default, implies, operator_only, is_openid: false }
}

/// Returns the words as a scope. Reports unknown words.
pub(super) fn known(words: &[Text], list: &[(String, String)], reader: &mut Reader<'_>) -> Scope {
    let mut scope = Scope::default();
    for word in words {
        if list.iter().any(|(own, _)| *own == word.value) {
            scope.insert(&word.value);
        } else {
            let near = suggestion(&word.value, list.iter().map(|(own, _)| own.as_str()));
            reader.note(word.spot, format!("unknown scope `{}`{near}", word.value));
        }
    }
    scope
}

/// A day, in seconds: long enough for a job that runs once a day and lost an answer.
const GRACE_S: u64 = 24 * 60 * 60;
/// Thirty days, in seconds.
const GRACE_S_MAX: u64 = 30 * 24 * 60 * 60;

pub(super) fn tokens(file: &File, reader: &mut Reader<'_>) -> Option<TokenRules> {
    for (name, table) in &file.tokens {
        one_of("kind of token", name, &["code", "access", "refresh", "personal"], reader);
        let is_refresh = name.value == "refresh";
        let of_refresh = [("on_use", &table.on_use), ("ttl_absolute", &table.ttl_absolute), ("grace", &table.grace)];
        for (key, text) in of_refresh {
            if let Some(text) = text.as_ref().filter(|_| !is_refresh) {
                reader.note(text.spot, format!("only `token.refresh` has `{key}`"));
            }
        }
    }
    let code = token(file, "code", reader)?;
    let code_table = table(file, "code")?;
    if code.ttl_s.is_none_or(|ttl_s| ttl_s > CODE_TTL_S_MAX) {
        let spot = code_table.ttl.as_ref().map_or(file.spot, |ttl| ttl.spot);
        reader.note(spot, "a code lives at most 10 minutes: RFC 6749 §4.1.2");
    }
    let refresh = table(file, "refresh")?;
    let mode = refresh.on_use.as_ref().and_then(|word| one_of("word", word, &["rotate", "reuse", "none"], reader));
    Some(TokenRules {
        code,
        access: token(file, "access", reader)?,
        refresh: token(file, "refresh", reader)?,
        personal: token(file, "personal", reader)?,
        refresh_absolute_ttl_s: refresh.ttl_absolute.as_ref().and_then(|ttl| duration(ttl, reader)),
        refresh_grace_s: grace(refresh, reader),
        refresh_mode: [RefreshMode::Rotate, RefreshMode::Reuse, RefreshMode::None][mode.unwrap_or_default()],
    })
}

/// Returns for how many seconds a confidential client may repeat a refresh request whose answer it lost.
fn grace(refresh: &TokenTable, reader: &mut Reader<'_>) -> u64 {
    let Some(text) = &refresh.grace else { return GRACE_S };
    let grace_s = parse_duration(&text.value).filter(|grace_s| *grace_s <= GRACE_S_MAX);
    if grace_s.is_none() {
        let told = format!("`grace` is `{}`, it must be a duration between \"1s\" and \"30d\"", text.value);
        reader.note(text.spot, told);
    }
    grace_s.unwrap_or(GRACE_S)
}

fn table<'f>(file: &'f File, kind: &str) -> Option<&'f TokenTable> {
    file.tokens.iter().find(|(name, _)| name.value == kind).map(|(_, table)| table)
}

fn token(file: &File, kind: &str, reader: &mut Reader<'_>) -> Option<TokenPolicy> {
    let table = table(file, kind)?;
    let spelling = table.form.as_ref().and_then(|form| spelling(form, reader));
    let ttl_s = table.ttl.as_ref().and_then(|ttl| duration(ttl, reader));
    Some(TokenPolicy {
        spelling: spelling.unwrap_or(Spelling { prefix: String::new(), alphabet: Alphabet::Url }),
        ttl_s,
    })
}

/// Parses the spelling of a token, such as `at_{hex}`: a literal prefix, then the alphabet in which the token's 32
/// bytes are written.
fn spelling(form: &Text, reader: &mut Reader<'_>) -> Option<Spelling> {
    let parsed = form.value.strip_suffix('}').and_then(|text| text.split_once('{'));
    let alphabet = match parsed.map(|(_, alphabet)| alphabet) {
        Some("url") => Some(Alphabet::Url),
        Some("hex") => Some(Alphabet::Hex),
        Some("b62") => Some(Alphabet::B62),
        _ => None,
    };
    let prefix = parsed.map(|(prefix, _)| prefix).unwrap_or_default();
    let is_plain = prefix.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
    let Some(alphabet) = alphabet.filter(|_| is_plain) else {
        let text = format!(
            "`{}` is not a form of token: it is literal text (letters, digits, - . _ ~) and then {{url}}, {{hex}} or {{b62}}, such as \"at_{{hex}}\"",
            form.value
        );
        reader.note(form.spot, text);
        return None;
    };
    Some(Spelling { prefix: prefix.to_owned(), alphabet })
}

/// Returns a duration in seconds. Returns `None` for "0", which means "without end", and for text that is no duration,
/// which is reported.
fn duration(text: &Text, reader: &mut Reader<'_>) -> Option<u64> {
    if text.value == "0" {
        return None;
    }
    let parsed = parse_duration(&text.value);
    if parsed.is_none() {
        let told =
            format!("`{}` is not a duration: write \"90s\", \"10m\", \"2h\", \"30d\", or \"0\" for ever", text.value);
        reader.note(text.spot, told);
    }
    parsed
}

fn parse_duration(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit_s: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    number.parse::<u64>().ok().filter(|number| *number > 0)?.checked_mul(unit_s)
}

pub(super) fn words(file: &File, replies: &[ReplyRules], reader: &mut Reader<'_>) -> Vec<GrantRules> {
    let mut words: Vec<GrantRules> = Vec::new();
    let names: Vec<&str> = GrantType::ALL.iter().map(|grant| grant.as_str()).collect();
    for (name, table) in &file.grant {
        let Some(at) = one_of("grant", name, &names, reader) else { continue };
        for (key, text) in [("word", &table.word), ("response_type", &table.response_type)] {
            if let Some(text) = text {
                let is_taken = words.iter().any(|own| {
                    let own = if key == "word" { &own.word } else { &own.response_type };
                    own.as_ref() == Some(&text.value)
                });
                if is_taken {
                    reader.note(text.spot, format!("another grant has the {key} `{}` already", text.value));
                }
            }
        }
        words.push(GrantRules {
            grant: GrantType::ALL[at],
            word: table.word.as_ref().map(|word| word.value.clone()),
            response_type: table.response_type.as_ref().map(|word| word.value.clone()),
            reply: table.reply.as_ref().and_then(|reply| super::replies::find(reply, replies, reader)),
            spellings: grant_spellings(GrantType::ALL[at], &table.token, reader),
        });
    }
    words
}

/// Reads a grant's own token spellings: `token = { access = "…", refresh = "…" }`.
fn grant_spellings(grant: GrantType, forms: &[(Text, Text)], reader: &mut Reader<'_>) -> Option<(Spelling, Spelling)> {
    let (first, _) = forms.first()?;
    if grant == GrantType::RefreshToken {
        reader.note(first.spot, "a refresh keeps the form of the token that it began with: give it to the other grant");
        return None;
    }
    let (mut access, mut refresh) = (None, None);
    for (kind, form) in forms {
        match one_of("kind of token", kind, &["access", "refresh"], reader) {
            Some(0) => access = spelling(form, reader),
            Some(_) => refresh = spelling(form, reader),
            None => {}
        }
    }
    if forms.len() < 2 {
        reader.note(first.spot, "`token` of a grant gives the form of both: `access` and `refresh`");
    }
    access.zip(refresh)
}

pub(super) fn bearer(table: &BearerTable, reader: &mut Reader<'_>) -> BearerRules {
    let mut accept = Vec::new();
    for place in &table.accept {
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_token_byte);
        let parsed = match place.value.split_once(':') {
            Some(("header", name)) if is_name(name) => Some(TokenLocation::Header(name.to_ascii_lowercase())),
            Some(("query", name)) if is_name(name) => Some(TokenLocation::Query(name.to_owned())),
            Some(("form", name)) if is_name(name) => Some(TokenLocation::Form(name.to_owned())),
            None if place.value == "raw" => Some(TokenLocation::Raw),
            None if is_name(&place.value) => Some(TokenLocation::Scheme(place.value.clone())),
            _ => None,
        };
        match parsed {
            Some(place) => accept.push(place),
            None => reader.note(
                place.spot,
                format!(
                    "`{}` is no place for a token: it is a scheme, raw, header:NAME, query:NAME or form:NAME",
                    place.value
                ),
            ),
        }
    }
    let challenge = table.challenge.as_ref();
    let words = ["on-401", "if-authorization", "never"];
    let at = challenge.and_then(|word| one_of("challenge", word, &words, reader)).unwrap_or_default();
    BearerRules { accept, challenge: [Challenge::On401, Challenge::IfAuthorization, Challenge::Never][at] }
}

pub(super) fn hosts(file: &File, reader: &mut Reader<'_>) -> Vec<String> {
    let mut hosts = Vec::new();
    for host in &file.hosts {
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        if host.value.is_empty() || !host.value.chars().all(is_host) {
            let text = format!(
                "`{}` is not a host: write it as the Host header has it, such as \"api.example:8080\"",
                host.value
            );
            reader.note(host.spot, text);
        } else if let Some(port) = port(&format!("://{}", host.value)).filter(|port| !is_port(port)) {
            let text = format!("`{}` has the port `{port}`: ports are numbers from 1 to 65535", host.value);
            reader.note(host.spot, text);
        } else {
            hosts.push(host.value.to_ascii_lowercase());
        }
    }
    hosts
}

/// Returns true if error texts name the faulty value and the next step. A dialect that does not say so keeps the short texts.
pub(super) fn has_long_texts(file: &File, reader: &mut Reader<'_>) -> bool {
    let texts = file.texts.as_ref().and_then(|word| one_of("word", word, &["short", "long"], reader));
    texts == Some(1)
}

pub(super) fn prefix(file: &File, reader: &mut Reader<'_>) -> Option<String> {
    let prefix = file.prefix.as_ref()?;
    let is_path = prefix.value.is_empty() || (is_path(&prefix.value) && !prefix.value.ends_with('/'));
    if !is_path {
        reader.note(
            prefix.spot,
            format!("`{}` is not a prefix: it is empty or begins with a slash and ends without one", prefix.value),
        );
    }
    check_segments(prefix, reader);
    Some(prefix.value.clone())
}

pub(super) fn resources(file: &File, reader: &mut Reader<'_>) -> Vec<String> {
    let mut resources = Vec::new();
    for (resource, _) in &file.resources {
        // RFC 8707 §2: "Its value MUST be an absolute URI, […]. The URI MUST NOT include a fragment component."
        let is_absolute = resource.value.split_once(':').is_some_and(|(scheme, rest)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && !rest.is_empty() && !rest.contains('#')
        });
        if !is_absolute || !resource.value.bytes().all(|b| b.is_ascii_graphic()) {
            reader.note(
                resource.spot,
                format!("`{}` is not an absolute URI without a fragment: RFC 8707 §2", resource.value),
            );
        }
        check_port(resource, reader);
        resources.push(resource.value.clone());
    }
    resources
}

/// Maximum length of the name of a resource, in characters. It must fit on one or two lines of a phone.
const RESOURCE_NAME_CHARACTERS_MAX: usize = 60;

/// Returns the names under which people see resources.
pub(super) fn resource_names(file: &File, reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let named = file.resources.iter().filter_map(|(resource, name)| Some((resource, name.as_ref()?)));
    let mut names = Vec::new();
    for (resource, name) in named {
        if let Err(fault) = protocol::names::check(&name.value, RESOURCE_NAME_CHARACTERS_MAX) {
            reader.note(name.spot, format!("the name of `{}` {fault}", resource.value));
        }
        names.push((resource.value.clone(), name.value.clone()));
    }
    names
}

/// Returns the port in a URL as it is written, or `None` if the URL has no port.
pub(super) fn port(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    // An IPv6 address has colons of its own.
    let behind = host.rfind(']').map_or(host, |end| &host[end + 1..]);
    behind.split_once(':').map(|(_, port)| port)
}

/// Returns true for a valid port number. RFC 6335 §6 reserves port 0.
pub(super) fn is_port(port: &str) -> bool {
    port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Reports a URL with an invalid port.
fn check_port(url: &Text, reader: &mut Reader<'_>) {
    if let Some(port) = port(&url.value).filter(|port| !is_port(port)) {
        reader.note(url.spot, format!("`{}` has the port `{port}`: ports are numbers from 1 to 65535", url.value));
    }
}

pub(super) fn client(table: &ClientTable, reader: &mut Reader<'_>) -> ClientRules {
    let by = table.by.as_ref().and_then(|word| one_of("word", word, &["self", "operator"], reader));
    let kind = table.kind.as_ref().and_then(|word| one_of("kind", word, &["confidential", "public"], reader));
    let pkce = table.pkce.as_ref().and_then(|word| one_of("word", word, &["required", "optional", "always"], reader));
    ClientRules {
        is_self_service: by == Some(0),
        kind: if kind == Some(1) { ClientKind::Public } else { ClientKind::Confidential },
        pkce: if pkce == Some(1) { Pkce::Optional } else { Pkce::Required },
        is_pkce_waivable: pkce != Some(2),
    }
}

pub(super) fn screen(table: &ScreenTable, reader: &mut Reader<'_>) -> ScreenRules {
    let digits = table.otp_digits.as_ref();
    let otp_digits =
        digits.and_then(|digits| u32::try_from(digits.value).ok()).filter(|digits| (6..=8).contains(digits));
    if let (Some(digits), None) = (digits, otp_digits) {
        reader.note(digits.spot, "a second-factor code has 6, 7 or 8 digits: RFC 4226 §5.3");
    }
    if let Some(at) =
        table.at.as_ref().filter(|at| !at.value.starts_with("https://") && !at.value.starts_with("http://"))
    {
        reader.note(at.spot, format!("`{}` is not a URL", at.value));
    }
    table.at.iter().for_each(|at| check_port(at, reader));
    ScreenRules { at: table.at.as_ref().map(|at| at.value.clone()), otp_digits: otp_digits.unwrap_or(6) }
}

pub(super) fn limits(file: &File, reader: &mut Reader<'_>) -> LimitRules {
    let mut rules = LimitRules::default();
    for (class, text) in &file.limits {
        let limit = if text.value == "off" { None } else { parse_limit(&text.value) };
        if limit.is_none() && text.value != "off" {
            let told = format!(
                "`{}` is not a limit: write \"20/min/client\" (a number, sec|min|hour|day, ip|client|token|user) or \"off\"",
                text.value
            );
            reader.note(text.spot, told);
        }
        match class.value.as_str() {
            "token" => rules.token = limit,
            "failed" => {
                if limit.is_some_and(|limit| limit.by != LimitBy::Address) {
                    let told = format!("`{}`: failed requests are counted by ip, such as \"120/min/ip\"", text.value);
                    reader.note(text.spot, told);
                }
                rules.failed = limit;
            }
            _ => rules.api = limit,
        }
    }
    rules.headers = LimitHeaders::default();
    for (which, name) in &file.limit_headers {
        if !name.value.bytes().all(is_token_byte) || name.value.is_empty() {
            reader.note(name.spot, format!("`{}` is not the name of a header", name.value));
        }
        check_owned(name, reader);
        let own = Some(name.value.clone());
        match one_of("header", which, &["limit", "remaining", "reset", "used"], reader) {
            Some(0) => rules.headers.limit = own,
            Some(1) => rules.headers.remaining = own,
            Some(2) => rules.headers.reset = own,
            Some(_) => rules.headers.used = own,
            None => {}
        }
    }
    rules
}

fn parse_limit(text: &str) -> Option<Limit> {
    let mut parts = text.split('/');
    let count = parts.next()?.parse().ok().filter(|count| *count > 0)?;
    let window_s = match parts.next()? {
        "sec" => 1,
        "min" => 60,
        "hour" => 60 * 60,
        "day" => 24 * 60 * 60,
        _ => return None,
    };
    let by = match parts.next()? {
        "ip" => LimitBy::Address,
        "client" => LimitBy::Client,
        "token" => LimitBy::Token,
        "user" => LimitBy::User,
        _ => return None,
    };
    parts.next().is_none().then_some(Limit { count, window_s, by })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_are_not_nothing() {
        assert_eq!(parse_duration("90s"), Some(90));
        assert_eq!(parse_duration("30d"), Some(2_592_000));
        for wrong in
            ["", "s", "90", "0s", "1w", "-1s", "1.5h", "10 m", "99999999999999999999s", "9999999999999999999d", "1ä"]
        {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_port_is_found_behind_every_kind_of_host() {
        for (url, expected) in [
            ("https://x.example:0/a", Some("0")),
            ("https://x.example:99999", Some("99999")),
            ("https://u:p@x.example?a:1", None),
            ("https://[::1]:8080/", Some("8080")),
            ("https://[::1]/", None),
            ("urn:a:99999", None),
        ] {
            assert_eq!(port(url), expected, "{url}");
        }
        assert!(["1", "65535"].into_iter().all(is_port));
        assert!(!["", "0", "65536", "99999", "+1", "x"].into_iter().any(is_port));
    }

    #[test]
    fn limits_have_three_parts() {
        assert_eq!(parse_limit("5/min/ip"), Some(Limit { count: 5, window_s: 60, by: LimitBy::Address }));
        for wrong in ["5", "5/min", "0/min/ip", "5/week/ip", "5/min/dog", "5/min/ip/x"] {
            assert_eq!(parse_limit(wrong), None, "{wrong}");
        }
    }
}
