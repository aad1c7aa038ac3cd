//! Reports dialect files that are well-formed and could never work: a grant without its endpoint, an endpoint whose
//! parameters cannot arrive, a reply that lacks its essential member.

use protocol::endpoint::Endpoint;
use protocol::model::{ClientKind, GrantType};
use protocol::scope::Scope;
use protocol::wire::{Field, Param, ReplyKind};

use super::parts::{is_port, port};
use crate::file::{EndpointTable, File};
use crate::problem::suggestion;
use crate::reader::{Reader, Text};
use crate::rules::{ANSWERS, Address, Dialect, ReplyRules, Shape, TokenLocation};
use crate::tree::Spot;
use crate::value::Name;

/// Reports everything in a file that could never work.
pub(super) fn check(dialect: &Dialect, file: &File, reader: &mut Reader<'_>) {
    check_grants(dialect, file, reader);
    check_authorize(dialect, file, reader);
    check_grants_needs(dialect, file, reader);
    check_replies(dialect, file, reader);
    check_token_status(dialect, file, reader);
    for address in &dialect.addresses {
        let Some((name, table)) = file.endpoints.iter().find(|(name, _)| name.value == address.name) else { continue };
        let told =
            &mut |spot, text: String| reader.note(own(&[spot], name), format!("`endpoint.{}` {text}", name.value));
        check_places(dialect, address, table, told);
        check_need(address, table, told);
        check_assume(dialect, table, told);
        check_hand_off(dialect, address, table, told);
        check_origins(table, told);
    }
    check_clients(dialect, file, reader);
    check_separator(dialect, file, reader);
}

/// Returns the position to report a problem at: one in the dialect's own file or in the configuration, never in the
/// standard dialect.
fn own(spots: &[Option<Spot>], name: &Text) -> Spot {
    spots.iter().flatten().copied().find(|spot| spot.layer > 0).unwrap_or(name.spot)
}

type Told<'t> = dyn FnMut(Option<Spot>, String) + 't;

fn check_grants(dialect: &Dialect, file: &File, reader: &mut Reader<'_>) {
    for word in file.grants.iter().flat_map(|grants| &grants.value) {
        let Some(row) = GrantType::from_name(&word.value).map(GrantType::row) else { continue };
        let needed = [(row.response_type.is_some(), Endpoint::Authorize), (!row.words.is_empty(), Endpoint::Token)];
        let needed = needed.into_iter().filter(|(is_needed, _)| *is_needed).map(|(_, endpoint)| endpoint);
        // A faulty endpoint is not in the list of addresses, and its own fault is already reported.
        let is_written = |endpoint: Endpoint| {
            let role = endpoint.row().name;
            file.endpoints.iter().any(|(name, table)| table.role.as_ref().unwrap_or(name).value == role)
        };
        for endpoint in needed.filter(|own| dialect.at(*own).is_none() && !is_written(*own)) {
            let text = format!(
                "the grant `{}` cannot be used without an endpoint of the role `{1}`: add `[endpoint.{1}]`, or take the \
                 grant out",
                word.value,
                endpoint.row().name
            );
            reader.note(word.spot, text);
        }
    }
}

/// Reports an authorization endpoint that no grant uses. An operator's overrides can remove grants but no endpoints. So
/// the check applies only if the endpoint and the grants are written in the same layer, or the endpoint in a later one.
fn check_authorize(dialect: &Dialect, file: &File, reader: &mut Reader<'_>) {
    let is_used = |grant: &GrantType| grant.is_by_redirect();
    let Some(grants) = file.grants.as_ref().filter(|_| !dialect.grants.iter().any(is_used)) else { return };
    let is_authorize = |name: &Text, table: &EndpointTable| {
        table.role.as_ref().unwrap_or(name).value == "authorize" && name.spot.layer >= grants.spot.layer
    };
    for (name, _) in file.endpoints.iter().filter(|(name, table)| is_authorize(name, table)) {
        let text = format!(
            "`endpoint.{}` could never give anything: add `authorization_code` or `implicit` to `grants`, or take the \
             endpoint out",
            name.value
        );
        reader.note(name.spot, text);
    }
}

/// Reports a grant whose requests cannot carry a parameter that every token endpoint needs.
fn check_grants_needs(dialect: &Dialect, file: &File, reader: &mut Reader<'_>) {
    let tokens: Vec<&Address> = dialect.addresses.iter().filter(|own| own.endpoint == Endpoint::Token).collect();
    for grant in dialect.grants.iter().filter(|grant| !grant.row().words.is_empty()) {
        let is_of_another = |param: &Param| {
            let others = GrantType::ALL.iter().filter(|other| *other != grant);
            others.into_iter().any(|other| other.row().needs.contains(param))
        };
        let lacking = |address: &Address| {
            let is_assumed = |param: &Param| address.assume.iter().any(|(own, _)| own == param);
            address.need.iter().copied().find(|param| is_of_another(param) && !is_assumed(param))
        };
        let Some(lacks) = tokens.iter().map(|address| lacking(address)).collect::<Option<Vec<_>>>() else { continue };
        let Some((first, param)) = tokens.first().zip(lacks.first()) else { continue };
        let Some((name, table)) = file.endpoints.iter().find(|(name, _)| name.value == first.name) else { continue };
        let need = table.need.iter().find(|need| need.value == param.as_str()).map(|need| need.spot);
        let text = format!(
            "`endpoint.{}` needs `{param}` in every request, so that the grant `{}` could never be used: take it out of \
             `need`, or add another endpoint of the role token",
            name.value,
            grant.as_str()
        );
        reader.note(own(&[need], name), text);
    }
}

/// Reports a reply that contains tokens under a status other than success.
fn check_token_status(dialect: &Dialect, file: &File, reader: &mut Reader<'_>) {
    for reply in token_replies(dialect) {
        let Some(status) = reply.status.filter(|status| matches!(status, 300..400 | 500..600)) else { continue };
        let Some((name, table)) = file.reply(&reply.name) else { continue };
        let text = format!(
            "`reply.{}` gives tokens with the status {status}, which no application takes for a success: write 200",
            reply.name
        );
        reader.note(own(&[table.status.as_ref().map(|status| status.spot)], name), text);
    }
}

fn check_replies(dialect: &Dialect, file: &File, reader: &mut Reader<'_>) {
    let has = |reply: &ReplyRules, field: Field| reply.shape.has(|name| *name == Name::Field(field));
    let mut lacks = |reply: &ReplyRules, field: Field, why: &str| {
        if has(reply, field) {
            return;
        }
        let Some((name, table)) = file.reply(&reply.name) else { return };
        let example = match &reply.shape {
            Shape::Json(_) => format!("\"{field}\":\"${field}\""),
            _ => format!("{field}=${field}"),
        };
        let spot = own(&[table.body.as_ref().map(|body| body.spot)], name);
        reader.note(spot, format!("`reply.{}` has no `${field}`, {why}: add `{example}` to its body", reply.name));
    };
    let offers = |grant| dialect.grants.contains(&grant);
    for (_, kind) in ANSWERS.iter().filter(|(grant, _)| offers(*grant) && dialect.at(Endpoint::Authorize).is_some()) {
        let Some(reply) = dialect.reply(*kind) else { continue };
        match kind {
            ReplyKind::Code => lacks(reply, Field::Code, "so that no application could get a token"),
            _ => lacks(reply, Field::AccessToken, "so that no application would get its token"),
        }
        lacks(reply, Field::State, "and libraries refuse an answer without the `state` that they sent");
    }
    if let Some(denied) = dialect.reply(ReplyKind::Denied).filter(|_| dialect.at(Endpoint::Authorize).is_some()) {
        lacks(denied, Field::State, "and libraries refuse an answer without the `state` that they sent");
    }
    let with_tokens = token_replies(dialect);
    for reply in &with_tokens {
        lacks(reply, Field::AccessToken, "so that no application would get its token");
    }
    let first = with_tokens.first().filter(|_| offers(GrantType::RefreshToken));
    if let Some(first) = first.filter(|_| !with_tokens.iter().any(|reply| has(reply, Field::RefreshToken))) {
        lacks(first, Field::RefreshToken, "so that the grant `refresh_token` could never be used");
    }
}

/// Returns the replies that carry tokens to programs.
fn token_replies(dialect: &Dialect) -> Vec<&ReplyRules> {
    if dialect.at(Endpoint::Token).is_none() {
        return Vec::new();
    }
    let tokens = dialect.addresses.iter().filter(|own| own.endpoint == Endpoint::Token);
    let of_grants = dialect.words.iter().filter(|own| dialect.grants.contains(&own.grant)).filter_map(|own| own.reply);
    let named = tokens.filter_map(|own| own.reply).chain(of_grants).map(|at| &dialect.replies[at]);
    dialect.reply(ReplyKind::Token).into_iter().chain(named).collect()
}

/// Reports an endpoint at which parameters or the access token cannot arrive by any of its methods.
fn check_places(dialect: &Dialect, address: &Address, table: &EndpointTable, told: &mut Told<'_>) {
    let methods = table.methods.as_ref().map(|methods| methods.spot);
    let from = table.from.as_ref().map(|from| from.spot);
    let spot = [from, methods].into_iter().flatten().find(|spot| spot.layer > 0);
    let has_body = address.methods.iter().any(|method| method != "GET");
    let row = address.endpoint.row();
    let places = address.from;
    if !row.params.is_empty() && !places.query && !(has_body && (places.form || places.json)) {
        told(
            spot,
            if has_body {
                "reads its parameters from nowhere: `from` names query, form or json".to_owned()
            } else {
                "cannot be asked: a GET has its parameters in the query, and `from` does not read it. Add \"query\" to \
                 `from`, or \"POST\" to `methods`"
                    .to_owned()
            },
        );
    }
    let has_get = address.methods.iter().any(|method| method == "GET");
    if row.endpoint == Endpoint::Authorize && has_body && has_get && places.form && !places.query {
        let text = "cannot be asked by GET, whose parameters stand in the query, and `from` does not read it. Add \
                    \"query\" to `from`, or take \"GET\" out of `methods`";
        told(spot, text.to_owned());
    }
    let is_readable = |place: &TokenLocation| has_body || !matches!(place, TokenLocation::Form(_));
    if row.takes_bearer && !dialect.bearer.accept.iter().any(is_readable) {
        let text = "cannot be asked: by its methods an access token can stand in none of the places of `bearer.accept`. \
                    Add \"Bearer\" there, or \"POST\" to `methods`";
        told(methods, text.to_owned());
    }
}

/// Reports parameters that are both required and ignored.
fn check_need(address: &Address, table: &EndpointTable, told: &mut Told<'_>) {
    let Some(secret) = table.need.iter().find(|need| need.value == Param::ClientSecret.as_str()) else { return };
    if address.endpoint.row().takes_client && !address.auth.params && !address.auth.basic {
        let text = "needs `client_secret`, and `auth` reads none: add \"params\" or \"basic\" to `auth`";
        told(Some(secret.spot), text.to_owned());
    }
}

/// Reports default values that are invalid, so that every request which relies on them would be refused.
fn check_assume(dialect: &Dialect, table: &EndpointTable, told: &mut Told<'_>) {
    for (param, value) in table.assume.iter().filter(|(_, value)| !value.value.is_empty()) {
        match Param::from_name(&param.value) {
            // An operator may disable a grant and keep its endpoint, which then refuses every request.
            Some(Param::GrantType) if GrantType::from_name(&value.value).is_none() => {
                let near = suggestion(&value.value, GrantType::ALL.iter().map(|grant| grant.as_str()));
                told(Some(value.spot), format!("assumes the grant `{}`, which does not exist{near}", value.value));
            }
            Some(Param::ResponseType) if !matches!(value.value.as_str(), "code" | "token") => {
                let near = suggestion(&value.value, ["code", "token"]);
                told(
                    Some(value.spot),
                    format!("assumes the response type `{}`, which does not exist{near}", value.value),
                );
            }
            Some(Param::Scope) => {
                let scope = Scope::parse(&value.value.replace(&dialect.sep, " ")).unwrap_or_default();
                if scope.is_empty() || scope.iter().any(|word| dialect.scope.sentence(word).is_none()) {
                    let near = suggestion(&value.value, dialect.scope.list.iter().map(|(word, _)| word.as_str()));
                    told(
                        Some(value.spot),
                        format!("assumes the scope `{}`, which `scope.list` does not have{near}", value.value),
                    );
                }
            }
            _ => {}
        }
    }
}

/// Reports an authorization endpoint that hands browsers off to a page whose URL is missing.
fn check_hand_off(dialect: &Dialect, address: &Address, table: &EndpointTable, told: &mut Told<'_>) {
    let Some(reply) = address.reply.filter(|_| address.endpoint == Endpoint::Authorize) else { return };
    let reply = &dialect.replies[reply];
    let spot = table.reply.as_ref().map(|reply| reply.spot);
    let is_url = |name: &Name| *name == Name::Field(Field::RedirectUrl);
    let in_headers = reply.headers.iter().any(|(_, text)| text.names().into_iter().any(is_url));
    if !in_headers && !reply.shape.has(is_url) {
        told(spot, format!("sends the browser on by `reply.{}`, which has no `$redirect_url`", reply.name));
    }
    let Some(at) = &dialect.screen.at else {
        told(spot, "sends the browser on, and nothing says where: add `[screen] at`".to_owned());
        return;
    };
    let (_, rest) = at.split_once("://").unwrap_or(("", at));
    let path = rest.find('/').map_or("/", |slash| &rest[slash..]);
    if !dialect.addresses.iter().any(|own| own.has_screens && path.ends_with(own.path.as_str())) {
        let text = format!(
            "sends the browser on to `{at}`, where nothing is: add an endpoint with `role = \"authorize\"` and \
             `path = \"{path}\"` that shows this server's pages"
        );
        told(spot, text);
    }
}

/// Reports CORS origins that no browser sends.
fn check_origins(table: &EndpointTable, told: &mut Told<'_>) {
    for origin in &table.cors {
        let host = origin.value.split_once("://").filter(|(scheme, _)| !scheme.is_empty()).map(|(_, host)| host);
        let is_host = |host: &str| {
            let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._:[]".contains(&b);
            !host.is_empty() && host.bytes().all(is_plain)
        };
        let port = port(&origin.value);
        let default = [("https://", "443"), ("http://", "80")]
            .into_iter()
            .any(|(scheme, own)| origin.value.starts_with(scheme) && port == Some(own));
        if default || port.is_some_and(|port| !is_port(port) || port.starts_with('0')) {
            let why = if default { "leave the default port out" } else { "ports are numbers from 1 to 65535" };
            let text = format!("has the origin `{}` in `cors`, which no browser sends: {why}", origin.value);
            told(Some(origin.spot), text);
            continue;
        }
        let is_lower = !origin.value.bytes().any(|b| b.is_ascii_uppercase());
        if origin.value != "*" && !(is_lower && host.is_some_and(is_host)) {
            let text = format!(
                "has the origin `{}` in `cors`, which no browser sends: write \"https://app.example\", or \"*\" for all",
                origin.value
            );
            told(Some(origin.spot), text);
        }
    }
}

/// Reports a surface on which newly registered applications could not authenticate at any token endpoint.
fn check_clients(dialect: &Dialect, file: &File, reader: &mut Reader<'_>) {
    let mut tokens = dialect.addresses.iter().filter(|own| own.endpoint == Endpoint::Token).peekable();
    let (kind, way) = match dialect.client.kind {
        ClientKind::Public => ("public", "none"),
        ClientKind::Confidential => ("confidential", "basic"),
    };
    let takes = |own: &Address| match dialect.client.kind {
        ClientKind::Public => own.auth.none || own.auth.anybody,
        ClientKind::Confidential => own.auth.basic || own.auth.params || own.auth.assertion || own.auth.anybody,
    };
    if tokens.peek().is_none() || tokens.any(takes) {
        return;
    }
    let tables = file.endpoints.iter().filter(|(name, table)| table.role.as_ref().unwrap_or(name).value == "token");
    if let Some((name, table)) = tables.into_iter().next() {
        let spots = [table.auth.as_ref().map(|auth| auth.spot), file.client.kind.as_ref().map(|kind| kind.spot)];
        let text = format!(
            "new applications are {kind}, and no token endpoint lets such a one in: add \"{way}\" to its `auth`, or set \
             `client.kind`"
        );
        reader.note(own(&spots, name), text);
    }
}

/// Reports a scope separator that occurs within the names of scopes.
fn check_separator(dialect: &Dialect, file: &File, reader: &mut Reader<'_>) {
    let Some(sep) = file.scope.sep.as_ref().filter(|sep| !sep.value.is_empty()) else { return };
    if let Some((word, _)) = dialect.scope.list.iter().find(|(word, _)| word.contains(&sep.value)) {
        let text = format!("the scope `{word}` has the separator `{}` in it: choose another `sep`", sep.value);
        reader.note(sep.spot, text);
    }
}

#[cfg(test)]
mod tests;
