//! The address of a PostgreSQL, and the words in it that are ours.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use url::Url;

/// How long a connection may take to come about, for each host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the network may keep what was sent before the connection counts as broken.
const SILENT_MAX: Duration = Duration::from_secs(10);
/// After so long without a word the other side is asked whether it is there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);

/// What an address says.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// Where to connect, and as whom.
    pub(super) config: Config,
    /// How the server is known, where the connection is encrypted.
    pub(super) trust: Option<Trust>,
    /// Is there a PgBouncer in between that hands out a connection for one transaction only?
    pub(super) is_pooled: bool,
}

/// Whose word is taken about the server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// The system's.
    System,
    /// That of the authorities in a file.
    File(PathBuf),
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// A sentence for the operator; never with a password in it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (rest, own) = Own::taken_out(text)?;
        let mut config: Config =
            rest.parse().map_err(|error: tokio_postgres::Error| super::stop::said(&error).replace(&rest, "…"))?;
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
        // Anything but the server that takes writes is of no use.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(SILENT_MAX).keepalives_idle(KEEPALIVE_IDLE);
        if config.get_application_name().is_none() {
            config.application_name("grantry");
        }
        Ok(Self { config, trust, is_pooled: own.is_pooled })
    }

    /// Where the database is, in words that hold no secret.
    pub(super) fn place(&self) -> String {
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .map(|host| match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        format!("\"{}\" at {}", self.config.get_dbname().unwrap_or("postgres"), hosts.join(","))
    }
}

/// The words that are ours and not the library's.
#[derive(Debug, Default)]
struct Own {
    ssl_mode: Option<String>,
    ssl_root_cert: Option<String>,
    is_pooled: bool,
}

impl Own {
    /// Takes our words out of an address, since the library refuses what it does not know.
    fn taken_out(text: &str) -> Result<(String, Self), String> {
        let (before, query) = text.split_once('?').unwrap_or((text, ""));
        let mut own = Self::default();
        let mut kept = Vec::new();
        // The host of an address with several hosts is no host to `Url`, so only the query is given to it.
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
                // Set by ourselves, to the only value that is of use.
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

/// Does what is said to this host never leave the machine?
fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
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
    fn an_address_may_name_several_hosts() {
        let address = parse("postgres://g:secret@one.example:5432,two.example:5433/g?target_session_attrs=read-write");
        assert_eq!(address.config.get_hosts().len(), 2);
        assert_eq!(address.config.get_ports(), [5432, 5433]);
        assert_eq!(address.place(), "\"g\" at one.example,two.example");
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
