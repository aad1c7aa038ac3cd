//! OpenID providers: a dialect that names the discovery endpoint is one, and has what only a provider has.

use protocol::endpoint::Endpoint;
use protocol::model::GrantType;
use protocol::openid;
use protocol::policy::ScopePolicy;

use crate::file::{EndpointTable, File};
use crate::reader::{Reader, Text};
use crate::rules::Dialect;
use crate::tree::{Entry, Node, Table};

/// The endpoints that an OpenID provider must have.
const ENDPOINTS: [Endpoint; 5] =
    [Endpoint::Discovery, Endpoint::Jwks, Endpoint::Authorize, Endpoint::Token, Endpoint::Userinfo];

/// Takes out of the inherited tables what only an OpenID provider has, unless the dialect is one: scopes of OpenID Connect, and
/// access tokens in forms.
pub(super) fn restrict(base: &mut Table, own: &Table) {
    if own.table("endpoint").is_some_and(|endpoints| has_role(endpoints, Endpoint::Discovery)) {
        return;
    }
    if let Some(list) = base.table_mut("scope").and_then(|scope| scope.table_mut("list")) {
        list.0.retain(|entry| !openid::SCOPES.contains(&entry.key.as_str()));
    }
    let accept = base.table_mut("bearer").and_then(|bearer| bearer.entry_mut("accept"));
    if let Some(Node::List(places)) = accept.map(|accept| &mut accept.item.node) {
        places.retain(|place| !matches!(&place.node, Node::Text(text) if text.starts_with("form:")));
    }
}

fn has_role(endpoints: &Table, endpoint: Endpoint) -> bool {
    endpoints.0.iter().any(|entry| role(entry) == Some(endpoint.row().name))
}

/// Returns the role of an endpoint: the one that it names, or else its own name.
pub(super) fn role(entry: &Entry) -> Option<&str> {
    let Node::Table(table) = &entry.item.node else { return None };
    Some(match table.entry("role").map(|role| &role.item.node) {
        Some(Node::Text(role)) => role.as_str(),
        _ => entry.key.as_str(),
    })
}

/// Returns true if the surface is an OpenID provider: it has the discovery endpoint and everything that a sign-in by code
/// needs.
fn is_openid(file: &File, grants: &[GrantType]) -> bool {
    let has = |endpoint: Endpoint| {
        let name = endpoint.row().name;
        file.endpoints.iter().any(|(own, table)| table.role.as_ref().unwrap_or(own).value == name)
    };
    grants.contains(&GrantType::AuthorizationCode) && ENDPOINTS.iter().all(|endpoint| has(*endpoint))
}

/// Completes the scopes of a surface. An OpenID provider gets the scope `openid` if its own list does not have it. OpenID Connect
/// Discovery §3: "The server MUST support the openid scope value."
pub(super) fn scope(scope: ScopePolicy, file: &File, grants: &[GrantType]) -> ScopePolicy {
    let mut scope = ScopePolicy { is_openid: is_openid(file, grants), ..scope };
    if scope.is_openid && scope.sentence(openid::OPENID).is_none() {
        scope.list.push((openid::OPENID.to_owned(), openid::OPENID_SENTENCE.to_owned()));
    }
    scope
}

/// Reports a discovery endpoint in a file whose surface can be no OpenID provider. An operator's overrides may take the grant
/// away that it needs: then the endpoint is not there.
pub(super) fn check(dialect: &Dialect, file: &File, reader: &mut Reader<'_>) {
    let is_own = |name: &Text| dialect.name != "standard" && name.spot.layer > 0;
    let is_discovery = |name: &Text, table: &EndpointTable| table.role.as_ref().unwrap_or(name).value == "discovery";
    let mut own = file.endpoints.iter().filter(|(name, table)| is_discovery(name, table) && is_own(name));
    let Some((name, _)) = own.next().filter(|_| !dialect.scope.is_openid) else { return };
    let missing = ENDPOINTS.iter().filter(|role| dialect.addresses.iter().all(|own| own.endpoint != **role));
    let missing: Vec<String> = missing.map(|endpoint| format!("`[endpoint.{}]`", endpoint.row().name)).collect();
    let missing = if missing.is_empty() { "the grant `authorization_code`".to_owned() } else { missing.join(", ") };
    let text = format!("`endpoint.{}` makes the surface an OpenID provider, which needs {missing} as well", name.value);
    reader.note(name.spot, text);
}

#[cfg(test)]
mod tests {
    use crate::rules::Dialect;
    use crate::sample::{loaded, problems};
    use expect_test::expect;

    /// OpenID Connect Discovery §3: the scope `openid` is always there.
    #[test]
    fn a_dialect_is_an_openid_provider_if_it_names_the_discovery_endpoint() {
        let scopes = |text: &str| {
            let scope = loaded("odd", text).policy("x").scope;
            (scope.is_openid, scope.list.into_iter().map(|(word, _)| word).collect::<Vec<_>>().join(" "))
        };
        let endpoints =
            "grants = [\"authorization_code\"]\n[endpoint.authorize]\n[endpoint.token]\n[endpoint.userinfo]\n";
        let by_form = |dialect: &Dialect| dialect.bearer.accept.iter().any(|place| place.form().is_some());
        assert!(!by_form(&loaded("odd", endpoints)), "what is no OpenID provider stays as it was");
        assert_eq!(scopes(endpoints), (false, "profile email".to_owned()));
        let all = "openid profile email address phone offline_access".to_owned();
        assert_eq!(scopes(&format!("{endpoints}[endpoint.discovery]\n[endpoint.jwks]\n")), (true, all));
        let own = format!("{endpoints}[endpoint.discovery]\n[endpoint.jwks]\n[scope]\nlist = {{ read = \"Read\" }}\n");
        assert_eq!(scopes(&own), (true, "read openid".to_owned()));
        expect![[r#"
            x.toml:3:11: `endpoint.discovery` makes the surface an OpenID provider, which needs `[endpoint.authorize]`, `[endpoint.userinfo]` as well
        "#]]
        .assert_eq(&problems("odd", "grants = [\"client_credentials\"]\n[endpoint.token]\n[endpoint.discovery]\n[endpoint.jwks]\n"));
    }
}
