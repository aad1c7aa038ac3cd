//! The issuer URL. It has a single spelling, because clients compare it byte for byte (RFC 8414 §3.3, RFC 9207 §2.4).

use url::{Host, Url};

/// The public base URL of the installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The URL without a trailing slash.
    pub url: String,
    /// The host, with the port if it is not the default of the scheme.
    pub host: String,
    /// The path without a trailing slash; usually empty.
    pub path: String,
    /// True for plain HTTP on this machine. Cookies can then be neither `Secure` nor `__Host-`.
    pub is_development: bool,
}

impl Issuer {
    /// Parses an issuer URL.
    ///
    /// # Errors
    /// The fault, and the correct spelling.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| {
            format!("`issuer` must be an absolute URL such as \"https://auth.example.com\", not {text:?}")
        })?;
        if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
            return Err("`issuer` must begin with https://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("`issuer` must not have a user name or password in it".to_owned());
        }
        // RFC 8414 §2: "a URL that uses the "https" scheme and has no query or fragment components".
        if url.query().is_some() || url.fragment().is_some() {
            return Err("`issuer` must have neither a query (?…) nor a fragment (#…)".to_owned());
        }
        let is_development = url.scheme() == "http";
        if is_development && !is_this_machine(&url) {
            return Err("`issuer` must use https; plain http is for development on this machine only \
                        (http://localhost:PORT, http://NAME.localhost:PORT or http://127.0.0.1:PORT)"
                .to_owned());
        }
        let normal = url.as_str().trim_end_matches('/');
        if normal != text {
            return Err(format!("`issuer` must be written {normal:?}: clients compare it byte for byte"));
        }
        let host = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        let path = url.path().trim_end_matches('/').to_owned();
        Ok(Self { url: normal.to_owned(), host, path, is_development })
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_for_everywhere_and_http_for_this_machine_rfc_8414_2() {
        for good in ["https://auth.example.com", "https://example.com:8443/sso", "http://localhost:8080"] {
            assert_eq!(Issuer::parse(good).unwrap().url, good);
        }
        for bad in
            ["http://auth.example.com", "http://localhost.example.com", "ftp://x", "auth.example.com", "https:///"]
        {
            assert!(Issuer::parse(bad).is_err(), "{bad}");
        }
        assert!(Issuer::parse("http://tinyemail.localhost:8080").unwrap().is_development);
        assert!(Issuer::parse("http://[::1]:8080").unwrap().is_development);
    }

    #[test]
    fn an_issuer_is_written_in_one_way_only() {
        for (written, wanted) in [
            ("https://auth.example.com/", "https://auth.example.com"),
            ("https://Auth.Example.com", "https://auth.example.com"),
            ("https://auth.example.com:443", "https://auth.example.com"),
            ("https://example.com/sso/", "https://example.com/sso"),
        ] {
            let problem = Issuer::parse(written).unwrap_err();
            assert!(problem.contains(&format!("{wanted:?}")), "{problem}");
        }
        for bad in ["https://a.example?x=1", "https://a.example#x", "https://me:pw@a.example"] {
            assert!(Issuer::parse(bad).is_err(), "{bad}");
        }
    }
}
