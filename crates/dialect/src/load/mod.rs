//! Loads a checked [`Dialect`] from layers: the standard file, the dialect's own file over it, and the operator's
//! overrides over both. One run reports all problems.

mod checks;
mod endpoints;
mod names;
mod parts;
mod provider;
mod replies;
mod sound;

use protocol::model::GrantType;

use crate::file::File;
use crate::hazard::{self, HAZARDS};
use crate::problem::{Problem, line_and_column, suggestion};
use crate::reader::{Located, Reader, Text};
use crate::rules::Dialect;
use crate::shipped::{STANDARD, STANDARD_FILE};
use crate::tree::{self, Node, Source, Spot, Table};

/// Returns true for tables that a layer replaces as a whole. For example, a layer's scopes replace those of the layer
/// below and are not added to them.
fn is_whole(path: &str) -> bool {
    matches!(path, "scope.list" | "scope.implies")
}

impl Dialect {
    /// Loads a dialect from its file and the operator's overrides, given in this order. Both are laid over the standard
    /// dialect. The standard dialect itself needs no file.
    ///
    /// # Errors
    /// All problems, each with its file, line and column.
    pub fn load(name: &str, sources: &[Source<'_>]) -> Result<Self, Vec<Problem>> {
        let mut layers = vec![Source::file(STANDARD_FILE, STANDARD)];
        layers.extend_from_slice(sources);
        let mut reader = Reader::new(&layers);
        let trees: Vec<Table> =
            layers.iter().enumerate().map(|(at, source)| tree::parse(source, at, &mut reader.problems)).collect();
        if !reader.problems.is_empty() {
            return Err(in_order(reader.problems));
        }
        let is_standard = name == "standard";
        let merged = merge(trees, is_standard);
        // The layer of the dialect's own file, if it has one; the standard file is layer 0.
        let spot = Spot { layer: usize::from(layers.len() > 1), at: 0 };
        let file = File::read(&merged, spot, &mut reader);
        let has_overrides = layers.iter().any(|layer| !layer.table.is_empty());
        let dialect = build(name, &file, &mut reader);
        if reader.problems.is_empty()
            && let Some(dialect) = &dialect
        {
            check_waivers(dialect, &file, has_overrides, &mut reader);
        }
        match dialect {
            Some(dialect) if reader.problems.is_empty() => Ok(dialect),
            _ => Err(in_order(reader.problems)),
        }
    }

    /// Returns all problems of a dialect file, without any overrides.
    #[must_use]
    pub fn check(name: &str, file: &str, text: &str) -> Vec<Problem> {
        Self::load(name, &[Source::file(file, text)]).err().unwrap_or_default()
    }

    /// Loads the shipped dialect of this name with the operator's overrides. Returns `None` if no such dialect is
    /// shipped.
    #[must_use]
    pub fn shipped(name: &str, overrides: &[Source<'_>]) -> Option<Result<Self, Vec<Problem>>> {
        let mut sources = Vec::new();
        if name != "standard" {
            sources.push(crate::shipped::source(name)?);
        }
        sources.extend_from_slice(overrides);
        Some(Self::load(name, &sources))
    }
}

/// Sorts problems by their position in the files and removes duplicates.
fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    problems.dedup();
    problems
}

/// Merges the layers. A dialect has only the endpoints, grants, hosts and waivers that it names itself. For these
/// endpoints, missing keys are taken from the standard endpoint with the same role.
fn merge(layers: Vec<Table>, is_standard: bool) -> Table {
    let mut layers = layers.into_iter();
    let mut merged = layers.next().unwrap_or_default();
    let mut own = Table::default();
    for layer in layers {
        own.lay(layer, "", &is_whole);
    }
    if !is_standard {
        merged.0.retain(|entry| !matches!(entry.key.as_str(), "grants" | "hosts" | "waives" | "resources" | "texts"));
        restrict_endpoints(&mut merged, &own);
        provider::restrict(&mut merged, &own);
    }
    merged.lay(own, "", &is_whole);
    merged
}

fn restrict_endpoints(base: &mut Table, own: &Table) {
    let Some(standard) = base.table_mut("endpoint") else { return };
    let all = std::mem::take(&mut standard.0);
    let Some(named) = own.table("endpoint") else { return };
    for entry in &named.0 {
        let Some(role) = provider::role(entry) else { continue };
        if let Some(from) = all.iter().find(|own| own.key == role) {
            let mut inherited = from.clone();
            inherited.key.clone_from(&entry.key);
            if inherited.key != role
                && let Node::Table(table) = &mut inherited.item.node
            {
                // Two addresses cannot share a path.
                table.0.retain(|entry| entry.key != "path");
            }
            standard.0.push(inherited);
        }
    }
}

fn build(name: &str, file: &File, reader: &mut Reader<'_>) -> Option<Dialect> {
    let grants = grants(file, reader);
    let scope = provider::scope(parts::scope(&file.scope, reader), file, &grants);
    let replies = replies::replies(file, reader);
    let addresses = endpoints::endpoints(file, &scope, &replies, reader);
    let words = parts::words(file, &replies, reader);
    let errors = replies::errors(file, &replies, reader);
    let tokens = parts::tokens(file, reader)?;
    let waives_spot = file.waives.as_ref().map_or(file.spot, |waives| waives.spot);
    let source = reader.source(waives_spot);
    let (line, column) = line_and_column(source.text, waives_spot.at);
    let waives_at = (source.file.to_owned(), line, column);
    let dialect = Dialect {
        name: name.to_owned(),
        hosts: parts::hosts(file, reader),
        prefix: parts::prefix(file, reader),
        base_url: String::new(),
        waives: file.waives.iter().flat_map(|waives| &waives.value).map(|waiver| waiver.value.clone()).collect(),
        has_long_texts: parts::has_long_texts(file, reader),
        client: parts::client(&file.client, reader),
        screen: parts::screen(&file.screen, reader),
        limits: parts::limits(file, reader),
        grants,
        resources: parts::resources(file, reader),
        resource_names: parts::resource_names(file, reader),
        scope,
        sep: file.scope.sep.as_ref().map_or_else(|| " ".to_owned(), |sep| sep.value.clone()),
        tokens,
        addresses,
        words,
        bearer: parts::bearer(&file.bearer, reader),
        by_kind: replies::by_kind(&replies),
        replies,
        errors,
        waives_at,
    };
    replies::check_needed(&dialect, file, reader);
    replies::check_reached(&dialect, file, reader);
    names::check(&dialect, file, reader);
    // After a spelling mistake, these checks would only report the misspelt key again as missing.
    if reader.problems.is_empty() {
        sound::check(&dialect, file, reader);
        provider::check(&dialect, file, reader);
    }
    Some(dialect)
}

fn grants(file: &File, reader: &mut Reader<'_>) -> Vec<GrantType> {
    let Some(named) = &file.grants else {
        reader.note(file.spot, "`grants` is missing: a dialect names the grants that it offers");
        return Vec::new();
    };
    let mut grants = Vec::new();
    for word in &named.value {
        match GrantType::from_name(&word.value) {
            Some(grant) if grants.contains(&grant) => {
                reader.note(word.spot, format!("`{}` is listed twice", word.value));
            }
            Some(grant) => grants.push(grant),
            None => {
                let near = suggestion(&word.value, GrantType::ALL.iter().map(|grant| grant.as_str()));
                reader.note(word.spot, format!("unknown grant `{}`{near}", word.value));
            }
        }
    }
    grants
}

/// Checks that `waives` lists exactly the rules that the file breaks. Superfluous waivers are allowed if overrides of
/// the operator have tightened the surface.
fn check_waivers(dialect: &Dialect, file: &File, has_overrides: bool, reader: &mut Reader<'_>) {
    let derived = hazard::derived(dialect);
    let none = Located { value: Vec::<Text>::new(), spot: file.spot };
    let declared = file.waives.as_ref().unwrap_or(&none);
    for hazard in &derived {
        if !declared.value.iter().any(|waiver| waiver.value == hazard.name) {
            let text = format!(
                "this surface breaks a rule of {} (\"{}\") and does not say so: add \"{}\" to `waives`. {}",
                hazard.rfc, hazard.rule, hazard.name, hazard.meaning
            );
            reader.note(declared.spot, text);
        }
    }
    for waiver in &declared.value {
        if hazard::hazard(&waiver.value).is_none() {
            let near = suggestion(&waiver.value, HAZARDS.iter().map(|hazard| hazard.name));
            reader.note(waiver.spot, format!("unknown waiver `{}`{near}", waiver.value));
        } else if !has_overrides && !derived.iter().any(|hazard| hazard.name == waiver.value) {
            reader.note(
                waiver.spot,
                format!("`{}` is waived but nothing here breaks that rule: remove it", waiver.value),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{lines, loaded, problems, standard, standard_with};
    use expect_test::expect;
    use protocol::endpoint::Endpoint;
    use protocol::policy::Policy;

    #[test]
    fn the_standard_file_says_what_the_defaults_of_the_protocol_are() {
        let policy = standard().policy("https://auth.example");
        let defaults = Policy::standard("https://auth.example");
        // The scopes are samples, and the URLs of endpoints are known once the base URL is.
        let policy = Policy { scope: defaults.scope.clone(), assertion_endpoints: Vec::new(), ..policy };
        assert_eq!(policy, defaults);
    }

    #[test]
    fn a_surface_says_for_how_long_a_refresh_whose_answer_was_lost_can_be_repeated() {
        let grace_s = |more: &str| {
            let text = format!("grants = [\"client_credentials\"]\n[endpoint.token]\n{more}");
            let dialect = Dialect::load("odd", &[Source::file("x.toml", &text)]).unwrap();
            dialect.policy("https://auth.example").refresh_grace_s
        };
        assert_eq!(grace_s(""), 24 * 60 * 60);
        assert_eq!(grace_s("[token.refresh]\ngrace = \"5m\""), 300);
    }

    #[test]
    fn all_problems_are_told_at_once_each_with_its_place() {
        let told = problems(
            "odd",
            r#"
grant = 3
grants = ["code", "refresh_token", "refresh_token"]
hosts = ["https://api.example"]
[token]
access = { frm = "{url}", ttl = "1w" }
refresh = { form = "rt_{hexa}", on_use = "rotat", grace = "0" }
code = { ttl = "1h", on_use = "reuse", grace = "1h" }
[scope]
list = { "a b" = "no", read = "Read" }
default = ["raed"]
[endpoint.token]
path = "oauth/token"
methods = ["FETCH"]
from = ["body"]
need = ["clientid"]
names = { code = "client_id" }
assume = { code = "$authorized" }
auth = ["basci"]
[endpoint.tokn]
[reply.token]
body = '{"a": "$acces_token"}'
[reply.mine]
as = "json"
body = '{'
[error]
invalid_grnt = { status = 400 }
invalid_client = { status = 999 }
[limit]
token = "many"
"#,
        );
        expect![[r#"
            x.toml:2:9: `grant` is a number, it must be a table
            x.toml:3:11: unknown grant `code`; there are `authorization_code`, `refresh_token`, `client_credentials`, `implicit`, `password`, `assertion`
            x.toml:3:36: `refresh_token` is listed twice
            x.toml:4:10: `https://api.example` is not a host: write it as the Host header has it, such as "api.example:8080"
            x.toml:6:12: unknown key `frm`, did you mean `form`?
            x.toml:6:33: `1w` is not a duration: write "90s", "10m", "2h", "30d", or "0" for ever
            x.toml:7:20: `rt_{hexa}` is not a form of token: it is literal text (letters, digits, - . _ ~) and then {url}, {hex} or {b62}, such as "at_{hex}"
            x.toml:7:42: unknown word `rotat`, did you mean `rotate`?
            x.toml:7:59: `grace` is `0`, it must be a duration between "1s" and "30d"
            x.toml:8:16: a code lives at most 10 minutes: RFC 6749 §4.1.2
            x.toml:8:31: only `token.refresh` has `on_use`
            x.toml:8:48: only `token.refresh` has `grace`
            x.toml:10:10: `a b` cannot be a scope: RFC 6749 §3.3
            x.toml:11:12: unknown scope `raed`, did you mean `read`?
            x.toml:13:8: `oauth/token` is not a path: it begins with a slash and has no ? or #
            x.toml:14:12: unknown method `FETCH`, did you mean `PATCH`?
            x.toml:15:9: unknown place `body`; there are `query`, `form`, `json`
            x.toml:16:9: this endpoint has no parameter `clientid`, did you mean `client_id`?
            x.toml:17:18: `client_id` would be the name of two parameters, `code` and another
            x.toml:18:19: only redirect_uri can be assumed from elsewhere, as "$authorized" at an endpoint of the role token
            x.toml:19:9: unknown way of authentication `basci`, did you mean `basic`?
            x.toml:20:11: unknown endpoint `tokn`, did you mean `token`?
            x.toml:22:8: unknown name `$acces_token`, did you mean `access_token`?
            x.toml:23:8: nothing leads to `reply.mine`: no endpoint, grant or error names it
            x.toml:25:8: the body is not JSON: EOF while parsing an object at line 1 column 1
            x.toml:27:1: unknown kind of error `invalid_grnt`, did you mean `invalid_grant`?
            x.toml:28:1: `error.invalid_client` has no `status`
            x.toml:28:29: 999 is not an HTTP status
            x.toml:30:9: `many` is not a limit: write "20/min/client" (a number, sec|min|hour|day, ip|client|token|user) or "off"
        "#]]
        .assert_eq(&told);
    }

    #[test]
    fn what_a_dialect_does_not_name_it_does_not_have() {
        let dialect = loaded("odd", "grants = [\"client_credentials\"]\n[endpoint.token]\n");
        assert_eq!(dialect.addresses().map(|(_, own)| own.name.as_str()).collect::<Vec<_>>(), ["token"]);
        assert!(dialect.at(Endpoint::Token).is_some_and(|at| dialect.address(at).path == "/oauth/token"));
        expect![[r#"
            x.toml:1:1: `grants` is missing: a dialect names the grants that it offers
            x.toml:1:1: there is no `[endpoint.…]`: a dialect names the endpoints that it has
        "#]]
        .assert_eq(&problems("odd", ""));
    }

    #[test]
    fn a_role_can_have_a_second_address() {
        let dialect = loaded(
            "odd",
            "grants = [\"refresh_token\"]\n[endpoint.token]\n[endpoint.refresh]\nrole = \"token\"\npath = \"/refresh\"\nassume = { grant_type = \"refresh_token\" }\n",
        );
        let names: Vec<String> = dialect
            .addresses()
            .map(|(at, own)| format!("{} {} {}", own.name, at.endpoint.row().name, own.path))
            .collect();
        assert_eq!(names, ["token token /oauth/token", "refresh token /refresh"]);
        assert!(problems("odd", "grants = []\n[endpoint.refresh]\nrole = \"token\"\n").contains("has no `path`"));
    }

    #[test]
    fn the_operators_scopes_take_the_place_of_the_shipped_ones() {
        let dialect = standard_with("[scope]\nlist = { \"links:read\" = \"Read your links\" }\n");
        let policy = dialect.policy("https://auth.example");
        let openid = ("openid".to_owned(), "Know that it is you".to_owned());
        assert_eq!(policy.scope.list, [("links:read".to_owned(), "Read your links".to_owned()), openid]);
    }

    #[test]
    fn overrides_come_from_a_table_of_the_configuration_and_are_reported_there() {
        let text = "issuer = \"x\"\n[dialect.standard.token]\naccess = { ttl = \"2s\" }\nrefresh = { tll = \"1h\" }\n";
        let overrides = [Source::overrides("grantry.toml", text, &["dialect", "standard"])];
        let told = Dialect::shipped("standard", &overrides).unwrap().unwrap_err();
        expect![[r#"
            grantry.toml:4:13: unknown key `tll`, did you mean `ttl`?
        "#]]
        .assert_eq(&lines(told));
        let good = text.replace("tll", "ttl");
        let overrides = [Source::overrides("grantry.toml", &good, &["dialect", "standard"])];
        let policy = Dialect::shipped("standard", &overrides).unwrap().unwrap().policy("x");
        assert_eq!((policy.access.ttl_s, policy.refresh.ttl_s), (Some(2), Some(3600)));
        assert_eq!(policy.access.spelling, Policy::standard("x").access.spelling);
    }

    #[test]
    fn resources_are_a_list_or_a_table_with_the_names_that_people_see() {
        let policy = |resources: &str| {
            let text = format!("[dialect.standard]\nresources = {resources}\n");
            let overrides = [Source::overrides("grantry.toml", &text, &["dialect", "standard"])];
            Dialect::shipped("standard", &overrides).unwrap().map(|dialect| dialect.policy("x")).map_err(lines)
        };
        let listed = policy("[\"https://api.example/\"]").unwrap();
        assert_eq!((listed.resources, listed.resource_names), (vec!["https://api.example/".to_owned()], vec![]));
        let named = policy("{ \"https://api.example/\" = \"Files\" }").unwrap();
        assert_eq!(named.resources, ["https://api.example/"]);
        assert_eq!(named.resource_names, [("https://api.example/".to_owned(), "Files".to_owned())]);
        expect![[r#"
            grantry.toml:2:15: `api` is not an absolute URI without a fragment: RFC 8707 §2
            grantry.toml:2:23: the name of `api` must have between 1 and 60 characters
        "#]]
        .assert_eq(&policy("{ \"api\" = \"\" }").unwrap_err());
    }

    #[test]
    fn a_hazard_must_be_declared_and_nothing_else() {
        let open = "grants = [\"client_credentials\"]\nwaives = [\"secret-in-qery\", \"implicit-grant\"]\n[endpoint.token]\nfrom = [\"query\"]\n";
        expect![[r#"
            x.toml:2:10: this surface breaks a rule of RFC 6749 §2.3.1 ("The parameters can only be transmitted in the request-body and MUST NOT be included in the request URI.") and does not say so: add "secret-in-query" to `waives`. Client secrets, codes and refresh tokens stand in the query of URLs. Proxies in front must not log query strings of this path.
            x.toml:2:11: unknown waiver `secret-in-qery`, did you mean `secret-in-query`?
            x.toml:2:29: `implicit-grant` is waived but nothing here breaks that rule: remove it
        "#]]
        .assert_eq(&problems("odd", open));
    }

    #[test]
    fn every_hazard_is_found_where_it_is() {
        for (hazard, text) in [
            ("implicit-grant", "grants = [\"implicit\"]\n[endpoint.authorize]\n"),
            ("token-in-query", "grants = []\n[endpoint.userinfo]\n[bearer]\naccept = [\"query:access_token\"]\n"),
            ("password-grant", "grants = [\"password\"]\n[endpoint.token]\n"),
            ("secret-in-query", "grants = []\n[endpoint.revoke]\nfrom = [\"query\"]\n"),
            ("token-by-get", "grants = []\n[endpoint.token]\nmethods = [\"GET\", \"POST\"]\n"),
            ("open-introspection", "grants = []\n[endpoint.introspect]\nauth = [\"anybody\"]\n"),
            ("open-revocation", "grants = []\n[endpoint.revoke]\nauth = [\"anybody\"]\n"),
            (
                "code-without-redirect-uri",
                "grants = [\"authorization_code\"]\n[endpoint.authorize]\n[endpoint.token]\nassume = { redirect_uri = \"$authorized\" }\n",
            ),
            ("token-without-expiry", "grants = []\n[endpoint.token]\n[token]\naccess = { ttl = \"0\" }\n"),
            (
                "refresh-without-expiry",
                "grants = [\"refresh_token\"]\n[endpoint.token]\n[token]\nrefresh = { ttl = \"0\", ttl_absolute = \"0\" }\n",
            ),
        ] {
            let dialect = loaded("odd", &format!("waives = [\"{hazard}\"]\n{text}"));
            assert_eq!(hazard::derived(&dialect).iter().map(|own| own.name).collect::<Vec<_>>(), [hazard]);
        }
        assert_eq!(HAZARDS.len(), 10);
    }

    #[test]
    fn a_grant_can_have_forms_of_tokens_of_its_own_and_a_refresh_keeps_them() {
        let text = |token: &str| {
            format!(
                "grants = [\"assertion\", \"refresh_token\"]\n[endpoint.token]\n[grant]\nassertion = {{ token = {token} }}\n"
            )
        };
        let dialect = loaded("odd", &text(r#"{ access = "a_{hex}", refresh = "r_{b62}" }"#));
        let spelled = dialect.policy("x").spelled;
        assert_eq!(
            (spelled.len(), spelled[0].grant, spelled[0].refresh.prefix.as_str()),
            (1, GrantType::Assertion, "r_")
        );
        assert!(dialect.describe().contains("access by assertion: a_{hex}"), "{}", dialect.describe());
        let word = dialect.words_of(GrantType::Assertion).and_then(|own| own.word.clone());
        assert_eq!(word.as_deref(), Some(GrantType::JWT_BEARER));
        expect![[r#"
            x.toml:4:25: `token` of a grant gives the form of both: `access` and `refresh`
        "#]]
        .assert_eq(&problems("odd", &text(r#"{ access = "a_{hex}" }"#)));
        expect![[r#"
            x.toml:4:25: unknown kind of token `acces`, did you mean `access`?
            x.toml:4:54: `r_` is not a form of token: it is literal text (letters, digits, - . _ ~) and then {url}, {hex} or {b62}, such as "at_{hex}"
        "#]]
        .assert_eq(&problems("odd", &text(r#"{ acces = "a_{hex}", refresh = "r_" }"#)));
        let refresh = "grants = [\"refresh_token\"]\n[endpoint.token]\n[grant]\nrefresh_token = { token = { access = \"a_{hex}\", refresh = \"r_{hex}\" } }\n";
        assert!(problems("odd", refresh).contains("a refresh keeps the form"));
    }

    #[test]
    fn a_reply_that_nothing_leads_to_and_one_of_the_wrong_shape_are_refused() {
        let text = "grants = [\"authorization_code\"]\n[endpoint.authorize]\n[endpoint.token]\n[reply.mine]\nas = \"empty\"\n[reply.code]\nas = \"json\"\nbody = '{}'\n";
        expect![[r#"
            x.toml:4:8: nothing leads to `reply.mine`: no endpoint, grant or error names it
            x.toml:6:8: `reply.code` goes through a browser and must redirect
        "#]]
        .assert_eq(&problems("odd", text));
    }

    #[test]
    fn a_broken_file_is_told_where_it_breaks() {
        expect![[r#"
            x.toml:1:11: unclosed array, expected `]`
        "#]]
        .assert_eq(&problems("odd", "grants = [\n"));
    }
}
