//! `[upstream.google]`: the trusted upstream identity provider.

use protocol::model::GrantType;
use protocol::person::upstream::SignUp;
use protocol::policy::Policy;
use protocol::secret::Secret;
use url::Url;

use super::files::{loose, read};
use super::resolver::Resolver;
use super::settings::{Fetch, Google};

const CLIENT_ID: &str = "upstream.google.client_id";
const SECRET: &str = "upstream.google.client_secret";
const SECRET_FILE: &str = "upstream.google.client_secret_file";
const ISSUER: &str = "upstream.google.issuer";

const SIGN_UP: &str = "upstream.google.sign_up";
const DOMAINS: &str = "upstream.google.domains";

/// The warning if the configuration does not say who may sign up.
const SIGN_UP_MEANING: &str = "everybody whom the issuer knows gets an account here by signing in with it; write \
    `sign_up = \"nobody\"`, `\"domains\"` or `\"anybody\"` into [upstream.google]";

/// RFC 1035 §2.3.1, in lower case; names of other scripts are written in their ASCII form.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_plain = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        (1..=63).contains(&label.len()) && is_plain && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

impl Resolver<'_> {
    /// Returns the upstream identity provider, if the section is configured.
    pub(super) fn google(&mut self, fetch: &Fetch) -> Option<Google> {
        let written = [SECRET, SECRET_FILE, ISSUER].into_iter().find(|path| self.file.written(path).is_some());
        let Some(client_id) = self.text(CLIENT_ID) else {
            if let Some(path) = written.filter(|_| !self.file.is_faulty(CLIENT_ID)) {
                self.fault(path, format!("`{CLIENT_ID}` is missing: it is what this server is called at the issuer"));
            }
            return None;
        };
        if client_id.is_empty() || !client_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.fault(CLIENT_ID, format!("`{CLIENT_ID}` is {client_id:?}, which is no client identifier"));
        }
        let client_secret = self.google_secret();
        if client_secret.is_none() && self.file.written(SECRET_FILE).is_none() {
            let text = "without `client_secret` or `client_secret_file` ID tokens are verified, but people get no button to \
                        sign in with";
            self.warn(CLIENT_ID, text);
        }
        let sign_up = self.google_sign_up();
        let issuer = self.google_issuer(fetch)?;
        Some(Google { issuer, client_id, client_secret, sign_up })
    }

    /// Returns whose first sign-in creates an account. If this is not configured, a warning is logged at each start.
    fn google_sign_up(&mut self) -> SignUp {
        let domains: Vec<String> = self.texts(DOMAINS).iter().map(|(domain, _)| domain.to_ascii_lowercase()).collect();
        if let Some(domain) = domains.iter().find(|domain| !is_domain(domain)) {
            let text =
                format!("`{DOMAINS}` has {domain:?}, which is no domain: write it as it stands behind the @, in ASCII");
            self.fault(DOMAINS, text);
        }
        let word = self.text(SIGN_UP);
        if !domains.is_empty() && word.as_deref() != Some("domains") {
            self.fault(DOMAINS, format!("`{DOMAINS}` counts only with `{SIGN_UP} = \"domains\"`"));
        }
        match word.as_deref() {
            Some("nobody") => SignUp::Nobody,
            Some("domains") if domains.is_empty() => {
                self.fault(SIGN_UP, format!("`{SIGN_UP}` is \"domains\", and `{DOMAINS}` lists none"));
                SignUp::Nobody
            }
            Some("domains") => SignUp::Domains(domains),
            Some(_) => SignUp::Anybody,
            None => {
                if !self.file.is_faulty(SIGN_UP) {
                    self.warn(CLIENT_ID, SIGN_UP_MEANING);
                }
                SignUp::Anybody
            }
        }
    }

    fn google_secret(&mut self) -> Option<Secret> {
        let (written, file) = (self.text(SECRET), self.readable(SECRET_FILE));
        if let Some(text) = file.as_deref().and_then(loose) {
            self.warn(SECRET_FILE, text);
        }
        if written.is_some() && file.is_some() {
            self.fault(SECRET, format!("both `{SECRET}` and `{SECRET_FILE}` are there: keep one of them"));
        }
        let (path, text) = match (written, file) {
            (Some(text), _) => (SECRET, text),
            // A file that cannot be read was already reported.
            (None, Some(file)) => (SECRET_FILE, read(&file).ok()?.trim_end_matches(['\r', '\n']).to_owned()),
            (None, None) => return None,
        };
        if text.trim().is_empty() {
            self.fault(path, format!("`{path}` is empty"));
        }
        Some(Secret::new(text))
    }

    /// OpenID Connect Discovery §3: the issuer is a URL "using the https scheme with no query or fragment components".
    fn google_issuer(&mut self, fetch: &Fetch) -> Option<String> {
        let text = self.text(ISSUER)?;
        let url = Url::parse(&text).ok().filter(|url| {
            url.query().is_none() && url.fragment().is_none() && url.host().is_some() && url.username().is_empty()
        });
        let Some(url) = url.filter(|url| matches!(url.scheme(), "https" | "http")) else {
            self.fault(ISSUER, format!("`{ISSUER}` is {text:?}, it must be an https URL without a query"));
            return None;
        };
        let place =
            format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        let is_allowed = fetch.allow.iter().any(|own| own.eq_ignore_ascii_case(&place));
        if url.scheme() == "http" && !is_allowed {
            let text =
                format!("`{ISSUER}` is not https; for a stand-in on this machine, list {place:?} in `fetch.allow`");
            self.fault(ISSUER, text);
        }
        Some(text)
    }

    /// Warns about a surface with the assertion grant if no upstream identity provider is configured.
    pub(super) fn warn_of_assertions(&mut self, policies: &[Policy], google: Option<&Google>) {
        if google.is_some() {
            return;
        }
        for policy in policies.iter().filter(|policy| policy.grants.contains(&GrantType::Assertion)) {
            let text = format!(
                "`{}` takes ID tokens of Google, and there is no [upstream.google]: it answers that this is not configured",
                policy.dialect
            );
            self.warn("dialects.enable", text);
        }
    }
}
