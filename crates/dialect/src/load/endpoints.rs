//! Loads `[endpoint.NAME]`: paths, methods, the places that parameters are read from, and the wire names of parameters.

use protocol::endpoint::{self, Endpoint};
use protocol::policy::ScopePolicy;
use protocol::wire::Param;

use super::checks::{check_segments, is_path, one_of};
use super::parts::known;
use crate::file::{EndpointTable, File};
use crate::problem::suggestion;
use crate::reader::{Reader, Text};
use crate::rules::{Address, Auth, From, ReplyRules};

pub(super) fn endpoints(
    file: &File,
    scope: &ScopePolicy,
    replies: &[ReplyRules],
    reader: &mut Reader<'_>,
) -> Vec<Address> {
    let mut addresses: Vec<Address> = Vec::new();
    if file.endpoints.is_empty() {
        reader.note(file.spot, "there is no `[endpoint.…]`: a dialect names the endpoints that it has");
    }
    for (name, table) in &file.endpoints {
        let Some(address) = address(name, table, scope, replies, reader) else { continue };
        let clash = addresses.iter().find(|own| own.path == address.path);
        if let (Some(clash), Some(path)) = (clash, &table.path) {
            let text = format!("`{}` is the path of `endpoint.{}` already", path.value, clash.name);
            reader.note(path.spot, text);
        }
        addresses.push(address);
    }
    addresses
}

fn address(
    name: &Text,
    table: &EndpointTable,
    scope: &ScopePolicy,
    replies: &[ReplyRules],
    reader: &mut Reader<'_>,
) -> Option<Address> {
    let roles: Vec<&str> = endpoint::TABLE.iter().map(|row| row.name).collect();
    let at = match &table.role {
        Some(role) => one_of("role", role, &roles, reader)?,
        None => one_of("endpoint", name, &roles, reader)?,
    };
    let row = &endpoint::TABLE[at];
    let Some(path) = &table.path else {
        reader.note(name.spot, format!("`endpoint.{}` has no `path`", name.value));
        return None;
    };
    if !is_path(&path.value) {
        reader.note(path.spot, format!("`{}` is not a path: it begins with a slash and has no ? or #", path.value));
    }
    check_segments(path, reader);
    let names = names(row.params, table, reader);
    let screens = table.reply.as_ref().filter(|reply| reply.value == "screens");
    if let Some(screens) = screens.filter(|_| row.endpoint != Endpoint::Authorize) {
        reader.note(screens.spot, "only `endpoint.authorize` has screens");
    }
    let reply = table.reply.as_ref().filter(|reply| reply.value != "screens");
    let reply = reply.and_then(|reply| super::replies::find(reply, replies, reader));
    let mut address = Address {
        name: name.value.clone(),
        endpoint: row.endpoint,
        path: path.value.clone(),
        methods: methods(name, table, reader),
        scope: known(table.scope.as_slice(), &scope.list, reader),
        cors: table.cors.iter().map(|origin| origin.value.clone()).collect(),
        has_screens: row.endpoint == Endpoint::Authorize && reply.is_none(),
        from: from(table, reader),
        need: table.need.iter().filter_map(|param| self::param(param, row.params, reader)).collect(),
        names,
        assume: Vec::new(),
        auth: auth(table, row.takes_client, reader),
        reply,
        is_redirect_uri_implied: false,
    };
    if let (Some(scope), false) = (&table.scope, row.takes_bearer) {
        reader.note(
            scope.spot,
            format!("`endpoint.{}` takes no access token, so that it cannot ask for a scope", name.value),
        );
    }
    for (param, value) in &table.assume {
        let Some(param) = self::param(param, row.params, reader) else { continue };
        match value.value.strip_prefix('$') {
            None => address.assume.push((param, value.value.clone())),
            Some("authorized") if param == Param::RedirectUri && row.endpoint == Endpoint::Token => {
                address.is_redirect_uri_implied = true;
            }
            Some(_) => reader.note(
                value.spot,
                "only redirect_uri can be assumed from elsewhere, as \"$authorized\" at an endpoint of the role token",
            ),
        }
    }
    Some(address)
}

/// Returns the canonical parameter named by `text`, if the endpoint has it.
fn param(text: &Text, params: &[Param], reader: &mut Reader<'_>) -> Option<Param> {
    let found = Param::from_name(&text.value).filter(|param| params.contains(param));
    if found.is_none() {
        let near = suggestion(&text.value, params.iter().map(|param| param.as_str()));
        reader.note(text.spot, format!("this endpoint has no parameter `{}`{near}", text.value));
    }
    found
}

/// Returns the wire names of all parameters. For example, `names = { otp = "token" }` gives the parameter `otp` the
/// wire name `token`.
fn names(params: &[Param], table: &EndpointTable, reader: &mut Reader<'_>) -> Vec<(String, Param)> {
    let mut names: Vec<(String, Param)> = params.iter().map(|param| (param.as_str().to_owned(), *param)).collect();
    for (canonical, wire) in &table.names {
        let Some(param) = self::param(canonical, params, reader) else { continue };
        if wire.value.is_empty() || wire.value.len() > crate::bounds::NAME_BYTES_MAX {
            reader.note(wire.spot, "the name of a parameter has between 1 and 128 bytes");
        }
        if let Some(own) = names.iter_mut().find(|(_, own)| *own == param) {
            own.0.clone_from(&wire.value);
        }
    }
    for (canonical, wire) in &table.names {
        let others = names.iter().filter(|(name, _)| *name == wire.value).count();
        if others > 1 {
            let text =
                format!("`{}` would be the name of two parameters, `{}` and another", wire.value, canonical.value);
            reader.note(wire.spot, text);
        }
    }
    names
}

fn methods(name: &Text, table: &EndpointTable, reader: &mut Reader<'_>) -> Vec<String> {
    let mut methods = Vec::new();
    for method in table.methods.iter().flat_map(|methods| &methods.value) {
        if one_of("method", method, &["GET", "POST", "PUT", "DELETE", "PATCH"], reader).is_some() {
            methods.push(method.value.clone());
        }
    }
    let named = table.methods.as_ref();
    if named.is_none_or(|named| named.value.is_empty()) {
        let spot = named.map_or(name.spot, |named| named.spot);
        reader.note(spot, format!("`endpoint.{}` has no `methods`", name.value));
    }
    methods
}

fn from(table: &EndpointTable, reader: &mut Reader<'_>) -> From {
    let mut from = From::default();
    for place in table.from.iter().flat_map(|from| &from.value) {
        match one_of("place", place, &["query", "form", "json"], reader) {
            Some(0) => from.query = true,
            Some(1) => from.form = true,
            Some(_) => from.json = true,
            None => {}
        }
    }
    from
}

fn auth(table: &EndpointTable, takes_client: bool, reader: &mut Reader<'_>) -> Auth {
    let mut auth = Auth::default();
    let Some(named) = &table.auth else { return auth };
    if !takes_client {
        reader.note(named.spot, "this endpoint authenticates no clients");
        return auth;
    }
    for way in &named.value {
        match one_of("way of authentication", way, &["basic", "params", "none", "anybody", "assertion"], reader) {
            Some(0) => auth.basic = true,
            Some(1) => auth.params = true,
            Some(2) => auth.none = true,
            Some(3) => auth.anybody = true,
            Some(_) => auth.assertion = true,
            None => {}
        }
    }
    if named.value.is_empty() {
        reader.note(
            named.spot,
            "`auth` is empty, so that nobody could ask; name basic, params, assertion, none or anybody",
        );
    }
    auth
}
