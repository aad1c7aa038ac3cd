//! `[proxy]`: the networks of trusted reverse proxies, and the header in which they name the client.

use std::net::{IpAddr, Ipv4Addr};

use ::http::HeaderName;
use ipnet::{IpNet, Ipv4Net};

use super::problem::{Problem, is_near, suggestion};
use super::resolver::Resolver;
use crate::address::KNOWN_HEADERS;
use crate::config::settings::X_FORWARDED_FOR;

/// Headers with another purpose, which contain no network address.
const OTHER_PURPOSE: [&str; 12] = [
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "from",
    "host",
    "origin",
    "referer",
    "user-agent",
    "via",
];

impl Resolver<'_> {
    /// Reads a list of networks. IPv4-mapped IPv6 addresses become IPv4 addresses, as those of peers do.
    pub(super) fn networks(&mut self, path: &str) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for (text, place) in self.texts(path) {
            let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
            match network.map(canonical) {
                Some(network) if network.prefix_len() == 0 => {
                    let text = format!("`{path}` trusts everybody with {text:?}: anybody could claim any address");
                    self.problems.push(Problem::fault(place, text));
                }
                Some(network) => networks.push(network.trunc()),
                None => {
                    let text =
                        format!("`{path}` has {text:?}, it must be a network such as \"10.0.0.0/8\" or an address");
                    self.problems.push(Problem::fault(place, text));
                }
            }
        }
        networks
    }

    /// Reads the name of the header. A name similar to a known one is refused as a misspelling, which would make every
    /// client count by the proxy's address.
    pub(super) fn proxy_header(&mut self) -> HeaderName {
        const PATH: &str = "proxy.header";
        let text = self.text(PATH).unwrap_or_default();
        let known = || KNOWN_HEADERS.iter().map(HeaderName::as_str);
        let name = text.parse::<HeaderName>().ok();
        let is_known = name.as_ref().is_some_and(|name| KNOWN_HEADERS.contains(name));
        let lower = text.to_ascii_lowercase();
        let is_misspelt = known().any(|own| is_near(&lower, own));
        let is_other = OTHER_PURPOSE.contains(&lower.as_str());
        match name {
            Some(name) if is_known || !(is_misspelt || is_other) => {
                let is_used = self.file.written("proxy.trusted").is_some()
                    || self.text("listen").is_some_and(|listen| listen.starts_with("unix:"));
                if self.file.written(PATH).is_some() && !is_used {
                    let text = "`proxy.header` has no effect without `proxy.trusted`: no peer may name the client";
                    self.warn(PATH, text);
                }
                name
            }
            _ => {
                let near = suggestion(&lower, known());
                let what = if is_other {
                    "that header names no network address"
                } else {
                    "it must name the header in which the proxy names the client"
                };
                self.fault(PATH, format!("`{PATH}` is {text:?}, {what}{near}"));
                X_FORWARDED_FOR
            }
        }
    }
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn canonical(network: IpNet) -> IpNet {
    let IpAddr::V4(address) = network.addr().to_canonical() else { return network };
    let length = if network.addr().is_ipv6() { network.prefix_len().checked_sub(96) } else { return network };
    length.and_then(|length| Ipv4Net::new(Ipv4Addr::from(address.octets()), length).ok()).map_or(network, IpNet::V4)
}
