//! The network address that a client is counted by. It comes from the connection, or from the forwarding header that
//! the operator configured in `proxy.header`.
//!
//! Only one header counts, because a proxy passes on other headers unchanged, and these may come from the client.

use std::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use ::http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};
use ipnet::{IpNet, Ipv6Net};

use crate::config::settings::Settings;
use crate::config::settings::X_FORWARDED_FOR;
use crate::http::{Peer, Request};

/// The client address of a request that came over a Unix socket without a readable forwarding header.
pub(crate) const UNIX_ADDRESS: &str = "unix";

/// Headers that proxies and content delivery networks use to name the client.
pub static KNOWN_HEADERS: [HeaderName; 11] = [
    X_FORWARDED_FOR,
    FORWARDED,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("cf-connecting-ipv6"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("fastly-client-ip"),
    HeaderName::from_static("fly-client-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("x-cluster-client-ip"),
    HeaderName::from_static("x-envoy-external-address"),
];

/// Prefix lengths of the IPv6 networks around a /64 that one customer of a provider may hold (RFC 6177 §2).
const WIDER_PREFIXES: [u8; 2] = [56, 48];

/// Returns the client address that a request is counted by. This is the address of the peer, unless the peer is a trusted
/// proxy and the configured header names somebody else. A header that cannot be read counts for the peer, so that nobody
/// escapes the count by sending garbage.
#[must_use]
pub fn address(http: &Request, settings: &Settings) -> String {
    let is_trusted = |address: IpAddr| is_within(&settings.trusted, address);
    let client = is_trusted_peer(http.peer, settings)
        .then(|| forwarded(&http.headers, &settings.proxy_header, is_trusted))
        .flatten();
    match (client, http.peer) {
        (Some(address), _) | (None, Peer::Ip(address)) => counted(address),
        (None, Peer::Unix) => UNIX_ADDRESS.to_owned(),
    }
}

/// True if the peer may name the client. Every peer of a Unix socket is trusted: the mode of the file decides who connects.
#[must_use]
pub fn is_trusted_peer(peer: Peer, settings: &Settings) -> bool {
    match peer {
        Peer::Ip(address) => is_within(&settings.trusted, address),
        Peer::Unix => true,
    }
}

fn is_within(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// Returns the last address of the chain that is not a trusted proxy's own. Each proxy appends the address of its peer, so
/// everything to the left of that address was written by the client.
fn forwarded(headers: &HeaderMap, name: &HeaderName, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let mut client = None;
    // Several lines of one header are one list, in their order: RFC 9110 §5.3.
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
        let hop = std::str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
        let address = hop_address(if *name == FORWARDED { forwarded_for(hop)? } else { hop })?;
        client = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    client
}

/// Returns the value of the `for` parameter of one element of `Forwarded`. An element that is not well-formed names nobody:
/// it may be what a comma inside a quoted string left over.
fn forwarded_for(element: &str) -> Option<&str> {
    let mut client = None;
    for pair in element.split(';') {
        let (name, value) = pair.trim_matches([' ', '\t']).split_once('=')?;
        let value = match value.strip_prefix('"') {
            Some(rest) => rest.strip_suffix('"')?,
            None => value,
        };
        if name.is_empty() || value.contains(['"', '\\']) {
            return None;
        }
        // RFC 7239 §4: "Each parameter MUST NOT occur more than once per field-value."
        if name.eq_ignore_ascii_case("for") && client.replace(value).is_some() {
            return None;
        }
    }
    client
}

/// Reads an address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`, `[2001:db8::1]`, `2001:db8::1`.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let with_port = || match hop.parse().ok()? {
        std::net::SocketAddr::V4(own) => Some(IpAddr::V4(*own.ip())),
        std::net::SocketAddr::V6(own) => without_zone(own).map(IpAddr::V6),
    };
    let address = hop.parse().ok().or_else(|| bracketed().map(IpAddr::V6)).or_else(with_port)?;
    Some(address.to_canonical())
}

/// A zone such as `fe80::1%2` has a meaning on the proxy's machine only.
fn without_zone(address: SocketAddrV6) -> Option<Ipv6Addr> {
    (address.scope_id() == 0).then_some(*address.ip())
}

/// Returns the text of an address as it is counted: one household has one IPv4 address, and 2^64 addresses of IPv6.
pub(crate) fn counted(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => within(address, 64).to_string(),
    }
}

fn within(address: Ipv6Addr, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(address, prefix).trunc()
}

/// Returns the wider networks of a counted address, the narrower one first: /56 and /48 of IPv6, and none of IPv4. The
/// holder of such a network has hundreds or thousands of /64 networks.
#[must_use]
pub fn wider(counted: &str) -> Option<[String; 2]> {
    // Most addresses are IPv4, which needs no parsing to tell.
    let network: Ipv6Net = counted.contains(':').then(|| counted.parse().ok()).flatten()?;
    Some(WIDER_PREFIXES.map(|prefix| within(network.addr(), prefix).to_string()))
}

/// The key under which connections of one client are counted; `None` for peers without a bound, which are trusted proxies and
/// peers of a Unix socket.
#[must_use]
pub fn of_connection(peer: Peer, settings: &Settings) -> Option<IpAddr> {
    let Peer::Ip(address) = peer else { return None };
    match address.to_canonical() {
        address if is_within(&settings.trusted, address) => None,
        IpAddr::V6(address) => Some(IpAddr::V6(within(address, 64).addr())),
        address => Some(address),
    }
}

/// The warnings about ignored forwarding headers. Each is logged once per start, because the sender repeats the header
/// with every request.
#[derive(Debug, Default)]
pub struct Notices {
    is_untrusted_told: AtomicBool,
    is_other_told: AtomicBool,
}

impl Notices {
    /// Warns if the request has an ignored forwarding header, and the operator can change that.
    pub fn look(&self, http: &Request, settings: &Settings) {
        let is_trusted = is_trusted_peer(http.peer, settings);
        let told = if is_trusted { &self.is_other_told } else { &self.is_untrusted_told };
        if told.load(Relaxed) {
            return;
        }
        let own = &settings.proxy_header;
        let is_own_there = http.headers.contains_key(own);
        let other = KNOWN_HEADERS.iter().find(|name| *name != own && http.headers.contains_key(*name));
        match (http.peer, is_own_there, other) {
            (Peer::Ip(peer), _, _) if !is_trusted => {
                let Some(came) = is_own_there.then_some(own).or(other) else { return };
                if !told.swap(true, Relaxed) {
                    untrusted(peer, came, own);
                }
            }
            (_, false, Some(came)) if !told.swap(true, Relaxed) => {
                tracing::warn!(
                    header = came.as_str(),
                    expected = own.as_str(),
                    "a trusted proxy sent {came} but not {own}, so its clients are all counted by the proxy's own address; let \
                     the proxy set {own}, or write header = \"{came}\" into [proxy] if the proxy overwrites {came} in every \
                     request. This warning is logged once"
                );
            }
            _ => {}
        }
    }
}

fn untrusted(peer: IpAddr, came: &HeaderName, own: &HeaderName) {
    let peer = peer.to_canonical();
    let network = IpNet::from(peer);
    let header = if came == own { String::new() } else { format!(" and header = \"{came}\"") };
    tracing::warn!(
        peer = %peer,
        header = came.as_str(),
        "{peer} sent {came} but is not a trusted proxy, so the header does not count; if {peer} is your reverse proxy, write \
         trusted = [\"{network}\"]{header} into [proxy], otherwise there is nothing to do. This warning is logged once"
    );
}

#[cfg(test)]
mod tests;
