//! The URL of a PostgreSQL database, with Grantry's own parameters.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use url::Url;

/// Time limit for connecting to a host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time after which a connection counts as broken if sent data is not acknowledged.
const SILENT_MAX: Duration = Duration::from_secs(10);
/// Idle time after which a TCP keepalive is sent.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);

/// A parsed URL.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// The connection settings, one for each host, in the order of the URL.
    pub(super) hosts: Vec<Config>,
    /// The trusted certificate authorities, if the connection is encrypted.
    pub(super) trust: Option<Trust>,
    /// True if a PgBouncer in transaction mode is between Grantry and the server.
    pub(super) is_pooled: bool,
}

/// The certificate authorities that are trusted for the server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Those of the operating system.
    System,
    /// Those in a file.
    File(PathBuf),
}

impl Address {
    /// Parses a URL.
    ///
    /// # Errors
    /// A message for the operator, without the password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (rest, own) = Own::taken_out(text)?;
        let mut config: Config =
            rest.parse().map_err(|error: tokio_postgres::Error| super::error::said(&error).replace(&rest, "…"))?;
        if config.get_hosts().is_empty() {
            return Err("it names no host".to_owned());
        }
        if config.get_user().is_none() {
            return Err("it names no user: postgres://USER@HOST/DATABASE".to_owned());
        }
        let is_local = config.get_hosts().iter().all(is_local);
        let trust = match own.ssl_mode.as_deref() {
            Some("disable") => None,
            None if is_local => None,
            None | Some("verify-full") => Some(own.trust()),
            Some(other) => {
                return Err(format!(
                    "sslmode={other} does not make sure who the server is: say verify-full, or disable where nobody else \
                     is on the network"
                ));
            }
        };
        config.ssl_mode(if trust.is_some() { SslMode::Require } else { SslMode::Disable });
        // Only the primary server, which accepts writes, is of use.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(SILENT_MAX).keepalives_idle(KEEPALIVE_IDLE);
        if config.get_application_name().is_none() {
            config.application_name("grantry");
        }
        Ok(Self { hosts: apart(&config), trust, is_pooled: own.is_pooled })
    }

    /// Returns a warning if the connection is not encrypted and may leave the machine and its private network.
    pub(super) fn exposed_warning(&self) -> Option<String> {
        if self.trust.is_some() {
            return None;
        }
        let exposed = self.hosts.iter().find_map(|one| {
            let addresses = one.get_hostaddrs();
            if !addresses.is_empty() {
                return addresses.iter().find(|address| !is_private(**address)).map(ToString::to_string);
            }
            one.get_hosts().iter().find_map(|host| match host {
                Host::Tcp(name) if !is_name_private(name) => Some(name.clone()),
                _ => None,
            })
        })?;
        Some(format!(
            "sslmode=disable sends everything to {exposed} unencrypted, and the password too if the server asks for it: \
             say sslmode=verify-full"
        ))
    }

    /// Describes the database and its host, without any secret.
    pub(super) fn place(&self) -> String {
        let hosts = self.hosts.iter().flat_map(Config::get_hosts).map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let hosts: Vec<String> = hosts.collect();
        let database = self.hosts.first().and_then(Config::get_dbname).unwrap_or("postgres");
        format!("\"{database}\" at {}", hosts.join(","))
    }
}

/// Grantry's own parameters, which the library does not know.
#[derive(Debug, Default)]
struct Own {
    ssl_mode: Option<String>,
    ssl_root_cert: Option<String>,
    is_pooled: bool,
}

impl Own {
    /// Removes Grantry's own parameters from a URL, because the library refuses unknown ones.
    fn taken_out(text: &str) -> Result<(String, Self), String> {
        let (before, query) = text.split_once('?').unwrap_or((text, ""));
        let mut own = Self::default();
        let mut kept = Vec::new();
        // `Url` cannot parse several hosts, so only the query is given to it.
        if text.contains('#') || query.split('&').any(|part| part.is_empty() && !query.is_empty()) {
            return Err("it has a # or an empty part in it; write %23 for #".to_owned());
        }
        let parsed = Url::parse(&format!("query:?{query}")).map_err(|error| error.to_string())?;
        for ((name, value), raw) in parsed.query_pairs().zip(query.split('&')) {
            match &*name {
                "sslmode" => own.ssl_mode = Some(value.into_owned()),
                "sslrootcert" => own.ssl_root_cert = Some(value.into_owned()),
                "pgbouncer" => {
                    own.is_pooled = match &*value {
                        "true" => true,
                        "false" => false,
                        _ => return Err("pgbouncer is neither true nor false".to_owned()),
                    }
                }
                // Grantry sets this parameter itself.
                "target_session_attrs" => match &*value {
                    "read-write" => {}
                    _ => return Err("target_session_attrs can only be read-write".to_owned()),
                },
                _ => kept.push(raw),
            }
        }
        let rest = if kept.is_empty() { before.to_owned() } else { format!("{before}?{}", kept.join("&")) };
        Ok((rest, own))
    }

    fn trust(&self) -> Trust {
        match self.ssl_root_cert.as_deref() {
            None | Some("system") => Trust::System,
            Some(path) => Trust::File(PathBuf::from(path)),
        }
    }
}

/// Splits a URL with several hosts into one configuration per host. The library could try the hosts itself, but a host
/// that accepts a connection and then does not answer would keep it from the others.
fn apart(all: &Config) -> Vec<Config> {
    let (hosts, addresses, ports) = (all.get_hosts(), all.get_hostaddrs(), all.get_ports());
    let is_even = |count: usize| count <= 1 || count == hosts.len();
    if hosts.len() == 1 || !is_even(ports.len()) || !(addresses.is_empty() || addresses.len() == hosts.len()) {
        // The library reports the mismatch itself.
        return vec![all.clone()];
    }
    let each = hosts.iter().enumerate().map(|(at, host)| {
        let mut one = common(all);
        match host {
            Host::Tcp(name) => one.host(name),
            Host::Unix(path) => one.host_path(path),
        };
        addresses.get(at).map(|address| one.hostaddr(*address));
        ports.get(at).or(ports.first()).map(|port| one.port(*port));
        one
    });
    each.collect()
}

/// Returns a copy of a configuration without its hosts.
fn common(all: &Config) -> Config {
    let mut one = Config::new();
    all.get_user().map(|user| one.user(user));
    all.get_password().map(|password| one.password(password));
    all.get_dbname().map(|name| one.dbname(name));
    all.get_options().map(|options| one.options(options));
    all.get_application_name().map(|name| one.application_name(name));
    all.get_connect_timeout().map(|timeout| one.connect_timeout(*timeout));
    all.get_tcp_user_timeout().map(|timeout| one.tcp_user_timeout(*timeout));
    all.get_keepalives_interval().map(|interval| one.keepalives_interval(interval));
    all.get_keepalives_retries().map(|retries| one.keepalives_retries(retries));
    one.keepalives(all.get_keepalives()).keepalives_idle(all.get_keepalives_idle());
    one.ssl_mode(all.get_ssl_mode()).ssl_negotiation(all.get_ssl_negotiation());
    one.channel_binding(all.get_channel_binding()).target_session_attrs(all.get_target_session_attrs());
    one.load_balance_hosts(all.get_load_balance_hosts());
    one
}

/// Returns true if a connection to this host never leaves the machine.
fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

/// Returns true for an address of this machine or of a private network (RFC 1918, 3927, 4193, 6598).
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(own) => {
            let [first, second, ..] = own.octets();
            own.is_loopback() || own.is_private() || own.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(own) => own.is_loopback() || own.is_unique_local() || own.is_unicast_link_local(),
    }
}

/// Returns true if only this machine or its own network can know the host name. A name without a dot is one of a
/// container network or of `/etc/hosts`. `.internal` is reserved for private networks, and `.localhost` for this
/// machine (RFC 6761 §6.3).
fn is_name_private(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return is_private(address);
    }
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    !name.contains('.')
        || name.ends_with(".internal")
        || name.ends_with(".localhost")
        || name.ends_with(".cluster.local")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Address {
        Address::parse(text).unwrap_or_else(|refused| panic!("{text}: {refused}"))
    }

    #[test]
    fn a_distant_server_has_to_prove_who_it_is_unless_told_otherwise() {
        assert_eq!(parse("postgres://g@db.example/g").trust, Some(Trust::System));
        let own = parse("postgres://g@db.example/g?sslmode=verify-full&sslrootcert=/etc/ca.pem");
        assert_eq!(own.trust, Some(Trust::File("/etc/ca.pem".into())));
        assert_eq!(parse("postgres://g@db.example/g?sslmode=disable").trust, None);
        assert_eq!(parse("postgres://g@127.0.0.1:5432/g").trust, None);
        assert_eq!(parse("postgres://g@%2Frun%2Fpostgresql/g").trust, None);
        for mode in ["require", "prefer", "allow", "verify-ca"] {
            assert!(Address::parse(&format!("postgres://g@db.example/g?sslmode={mode}")).is_err(), "{mode}");
        }
    }

    #[test]
    fn an_unencrypted_connection_to_a_public_address_is_warned_of() {
        let warned = |hosts: &str, more: &str| {
            parse(&format!("postgres://g:hunter2@{hosts}/g?sslmode=disable{more}")).exposed_warning()
        };
        for hosts in ["203.0.113.9", "db.example", "127.0.0.1,db.example", "[2001:db8::1]", "100.128.0.1", "172.32.0.1"]
        {
            let text = warned(hosts, "").unwrap_or_else(|| panic!("{hosts} is not warned of"));
            assert!(text.contains("sslmode=verify-full") && !text.contains("hunter2"), "{text}");
        }
        let quiet =
            ["127.0.0.1", "localhost", "%2Frun%2Fpostgresql", "10.1.2.3", "172.31.0.1", "192.168.1.1", "[fd00::1]"];
        for hosts in quiet.into_iter().chain(["[::1]", "db", "100.64.0.1", "db.prod.internal"]) {
            assert_eq!(warned(hosts, ""), None, "{hosts}");
        }
        assert!(warned("localhost", "&hostaddr=203.0.113.9").is_some(), "the address counts, not the name");
        assert_eq!(parse("postgres://g@203.0.113.9/g").exposed_warning(), None, "it is encrypted");
    }

    #[test]
    fn an_address_may_name_several_hosts() {
        let address = parse("postgres://g:secret@one.example:5432,two.example:5433/g?target_session_attrs=read-write");
        let parts: Vec<_> = address.hosts.iter().map(|one| (one.get_hosts(), one.get_ports())).collect();
        let host = |name: &str| [Host::Tcp(name.to_owned())];
        assert_eq!(parts, [(&host("one.example")[..], &[5432][..]), (&host("two.example"), &[5433])]);
        assert_eq!(address.place(), "\"g\" at one.example,two.example");
    }

    #[test]
    fn whatever_an_address_says_is_said_of_each_of_its_hosts() {
        let words = "connect_timeout=9&application_name=own&options=-c%20a%3Db&keepalives=0&keepalives_idle=7\
            &keepalives_interval=8&keepalives_retries=3&channel_binding=disable&tcp_user_timeout=4\
            &sslnegotiation=direct&load_balance_hosts=random";
        let of = |hosts: &str| parse(&format!("postgres://g:secret@{hosts}/g?{words}")).hosts;
        let alone = [of("one.example:1"), of("two.example:2")].concat();
        assert_eq!(of("one.example:1,two.example:2"), alone);
        assert_eq!(of("one.example,two.example"), [of("one.example:5432"), of("two.example:5432")].concat());
    }

    #[test]
    fn the_pooler_has_a_switch() {
        assert!(parse("postgres://g@localhost/g?pgbouncer=true").is_pooled);
        assert!(!parse("postgres://g@localhost/g").is_pooled);
        assert!(Address::parse("postgres://g@localhost/g?pgbouncer=maybe").is_err());
    }

    #[test]
    fn a_refusal_names_the_fault_and_not_the_password() {
        for (text, expected) in [
            ("postgres://g:hunter2@/g", "host"),
            ("postgres://localhost/g", "user"),
            ("postgres://g:hunter2@localhost/g?colour=blue", "colour"),
            ("postgres://g:hunter2@localhost:port/g", "port"),
            ("postgres://g:hunter2@localhost/g?sslmode=disable#&pgbouncer=true", "#"),
            ("postgres://g:hunter2@localhost/g?&sslmode=disable", "empty"),
        ] {
            let refused = Address::parse(text).unwrap_err();
            assert!(refused.contains(expected) && !refused.contains("hunter2"), "{text}: {refused}");
        }
    }
}
