//! The table of options: every key of the configuration file with its kind, default and purpose. The reader, the
//! environment overrides, the file that `grantry init` writes and the generated documentation use this table.

/// The kind of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A string that no message may quote.
    Secret,
    /// A file or folder. Relative paths start at the folder of the configuration file.
    Path,
    /// A string from this list.
    Word(&'static [&'static str]),
    /// A list of strings.
    Texts,
    /// `true` or `false`.
    Flag,
    /// An integer between two bounds, both inclusive.
    Count(i64, i64),
    /// A duration such as `"90s"`, `"10m"`, `"2h"` or `"30d"`, with its minimum and maximum in seconds.
    Duration(u64, u64),
}

/// The default of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// No default: the feature is off, or the option is required.
    Absent,
    /// A string.
    Text(&'static str),
    /// A number.
    Count(i64),
    /// A boolean.
    Flag(bool),
    /// A list.
    Texts(&'static [&'static str]),
}

/// A row of the table of options.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The dotted path, such as `session.idle`.
    pub path: &'static str,
    /// The kind of the value.
    pub kind: Kind,
    /// The default of an option.
    pub default: Otherwise,
    /// An example in TOML, for options without a default.
    pub example: &'static str,
    /// The purpose, one sentence.
    pub sentence: &'static str,
}

const fn row(path: &'static str, kind: Kind, default: Otherwise, example: &'static str, sentence: &'static str) -> Row {
    Row { path, kind, default, example, sentence }
}

/// A year in seconds, the maximum of all durations.
const YEAR_S: u64 = 366 * 86_400;

use Otherwise::{Absent, Count, Flag, Text, Texts};

/// All options.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row("issuer", Kind::Text, Absent, r#""https://auth.example.com""#, "The one public base URL: https, no slash at the end. It is never taken from a request. For development on this machine, http://localhost:PORT works too."),
    row("listen", Kind::Text, Text("127.0.0.1:8080"), "", "Where to listen: host:port, or unix:/run/grantry.sock."),
    row("listen_mode", Kind::Text, Text("0660"), "", "Who may connect to a Unix socket, in the digits of chmod. The socket gets the group of its folder: give the folder the group of your proxy. \"0666\" lets the folder's own mode decide."),
    row("admin_listen", Kind::Text, Text("127.0.0.1:9090"), "", "Where /healthz, /readyz and /metrics are; not for the public. \"off\" switches them off."),

    row("store.url", Kind::Secret, Text("sqlite:grantry.db"), "", "Where everything is kept: sqlite:FILE for one machine, or postgres://USER@HOST/DATABASE for any number of nodes. docs/guide/postgres.md says what else the address may hold."),

    row("keys.master", Kind::Secret, Absent, r#""(32 bytes in base64url)""#, "The master key itself. Better keep it in a file of its own: whoever reads it and the store can read the seeds of second factors and open sealed pages."),
    row("keys.master_file", Kind::Path, Absent, r#""grantry.key""#, "The file with the master key: 32 bytes in base64url. All other keys are derived from it. Without this key it is beside the database, in FILE.key, and made when it is first needed. A backup of the database is worth nothing without it."),
    row("keys.rotate_every", Kind::Duration(3600, 10 * YEAR_S), Text("30d"), "", "How often a new key takes over for sealing pages. The master key is not rotated: tokens and second factors depend on it. `grantry key replace-master` replaces one that leaked."),
    row("keys.signing_rotate_every", Kind::Duration(7 * 86_400, 10 * YEAR_S), Text("90d"), "", "How often a new key takes over for signing tokens. It is published as the next key long before. A retired key stays published for 30 days. `grantry key rotate --signing` rotates at once."),

    row("tls.cert", Kind::Path, Absent, r#""cert.pem""#, "The certificate chain in PEM. Without [tls], run behind a proxy that speaks TLS."),
    row("tls.key", Kind::Path, Absent, r#""key.pem""#, "The certificate's private key in PEM."),

    row("proxy.trusted", Kind::Texts, Texts(&[]), r#"["127.0.0.1/32"]"#, "The networks of the reverse proxies in front. Grantry reads the client address from `proxy.header` only if the request comes from one of these networks, or over a Unix socket."),
    row("proxy.header", Kind::Text, Text("x-forwarded-for"), "", "The one header in which the proxies name the client: x-forwarded-for, forwarded (RFC 7239), or another one such as x-real-ip or cf-connecting-ip. It holds an address or a list, of which the last address that is no proxy's counts. No other header counts. The proxy must set or append it in every request."),

    row("dialects.enable", Kind::Texts, Texts(&["standard"]), "", "The surfaces that this server speaks."),
    row("dialects.path", Kind::Path, Absent, r#""dialects""#, "A folder with dialect files of your own: NAME.toml, or NAME/dialect.toml."),
    row("dialects.accept", Kind::Texts, Texts(&[]), r#"["secret-in-query"]"#, "The waivers that you accept: rules of the RFCs that a dialect breaks by name. `grantry dialect show NAME` explains them."),
    row("dialects.also_read", Kind::Texts, Texts(&[]), r#"["standard reads paced"]"#, "Surfaces that tell also what the tokens of another are worth, for an API that asks at one address while clients move: in the example, introspection and userinfo of standard know the access and personal tokens that paced gave. Nothing else of paced is good there."),

    row("session.idle", Kind::Duration(60, YEAR_S), Text("1d"), "", "A browser that is not seen for so long is signed out."),
    row("session.absolute", Kind::Duration(60, YEAR_S), Text("14d"), "", "A browser is signed out after so long in any case."),
    row("session.recent", Kind::Duration(60, YEAR_S), Text("15m"), "", "Changing how one signs in needs a sign-in that is no older than this."),

    row("lockout.account_failures", Kind::Count(3, 1000), Count(10), "", "After so many wrong passwords or codes for one account, whoever typed them must wait. Browsers in which the user has signed in before are counted apart. The limits over all addresses and over days are multiples of this: see Lockout in docs/guide/operate.md."),
    row("lockout.address_failures", Kind::Count(3, 1_000_000), Count(100), "", "After so many wrong passwords or codes from one network address, the address must wait, but for browsers that the account knows."),
    row("lockout.window", Kind::Duration(60, 86_400), Text("15m"), "", "How long until failures are forgotten, counted from the first one."),

    row("brand.name", Kind::Text, Text("Grantry"), "", "Your name, as people know it: on every page and in authenticator applications."),
    row("brand.logo", Kind::Path, Absent, r#""logo.svg""#, "Your logo: svg, png, webp or jpeg, at most 256 KiB."),
    row("brand.logo_dark", Kind::Path, Absent, r#""logo-dark.svg""#, "The logo for the dark colour scheme. Without it, pages show `logo` in both."),
    row("brand.icon", Kind::Path, Absent, r#""icon.svg""#, "The icon of the browser's tab: svg, png, webp, jpeg or ico, at most 256 KiB. Without it, tabs show the logo."),
    row("brand.show_name", Kind::Flag, Flag(true), "", "Whether `name` stands beside the logo. Set it to false if the logo contains the name."),
    row("brand.accent", Kind::Text, Text("#2f5fd0"), "", "The colour of buttons and links, as #rrggbb."),
    row("brand.templates", Kind::Path, Absent, r#""templates""#, "A folder with templates of your own: a file with the name of a shipped one takes its place. `grantry check` tries each with samples."),
    row("brand.support", Kind::Text, Absent, r#""help@example.com""#, "Where people find help: an e-mail address or an https URL."),
    row("brand.terms", Kind::Text, Absent, r#""https://example.com/terms""#, "The https URL of your terms of use. The footer of every page links to it."),
    row("brand.privacy", Kind::Text, Absent, r#""https://example.com/privacy""#, "The https URL of your privacy policy. The footer of every page links to it."),
    row("brand.imprint", Kind::Text, Absent, r#""https://example.com/imprint""#, "The https URL of your imprint. The footer of every page links to it."),

    row("developer.enable", Kind::Flag, Flag(true), "", "May people register applications and make personal access tokens by themselves, at /developer? What they made before goes on working."),
    row("developer.reserved_names", Kind::Texts, Texts(&["Adobe", "Airbnb", "Alibaba", "Amazon", "AWS", "American Express", "Apple", "Atlassian", "Binance", "Bitbucket", "Booking.com", "ChatGPT", "Cisco", "Citibank", "Cloudflare", "Coinbase", "DHL", "Discord", "DocuSign", "Dropbox", "eBay", "Facebook", "FedEx", "Figma", "GitHub", "GitLab", "Gmail", "Google", "HSBC", "HubSpot", "IBM", "iCloud", "Instagram", "Intuit", "JPMorgan", "LinkedIn", "Mastercard", "Meta", "Microsoft", "Netflix", "Nintendo", "Okta", "OpenAI", "Oracle", "PayPal", "Reddit", "Revolut", "Salesforce", "Samsung", "Shopify", "Slack", "Snapchat", "Spotify", "Stripe", "Telegram", "TikTok", "Twitter", "Uber", "Visa", "Wells Fargo", "WhatsApp", "WordPress", "Yahoo", "YouTube", "Zoom"]), "", "Names that self-registered applications cannot have, contain or imitate, beside your own name and its words. You can give any name with `grantry client add` and `grantry client set`."),

    row("fetch.allow", Kind::Texts, Texts(&[]), r#"["10.0.0.7:8443"]"#, "Private addresses, as host:port, that this server may nevertheless call."),
    row("fetch.ca_file", Kind::Path, Absent, r#""ca.pem""#, "More certificate authorities for outgoing calls, in PEM."),

    row("upstream.google.client_id", Kind::Text, Absent, r#""1234.apps.googleusercontent.com""#, "What this server is called at Google. ID tokens must be made for it."),
    row("upstream.google.client_secret", Kind::Secret, Absent, r#""GOCSPX-...""#, "How this server proves itself at Google. Better keep it in a file of its own."),
    row("upstream.google.client_secret_file", Kind::Path, Absent, r#""google.secret""#, "The file with the client secret."),
    row("upstream.google.issuer", Kind::Text, Text("https://accounts.google.com"), "", "The issuer of the ID tokens; another one can stand in for Google in a test."),
    row("upstream.google.sign_up", Kind::Word(&["anybody", "domains", "nobody"]), Absent, r#""nobody""#, "Whose first sign-in with Google makes an account here: anybody's, that of people with an address of one of `domains`, or nobody's. Where nothing is written, it is anybody's, and the server says so at every start. People who have an account sign in all the same."),
    row("upstream.google.domains", Kind::Texts, Texts(&[]), r#"["example.com"]"#, "The domains of `sign_up = \"domains\"`, as they stand behind the @ of an address. Google must manage the domain, or else the address may be another's by now."),
    row("upstream.google.confirms", Kind::Flag, Flag(false), "", "May a fresh sign-in with Google confirm changes of how one signs in also for people who have a password here? Without it they type the password."),

    row("log.level", Kind::Text, Text("info"), "", "error, warn, info, debug or trace; or by module, such as \"info,store=debug\"."),
    row("log.format", Kind::Word(&["text", "json"]), Text("text"), "", "text for people, json for machines."),
    row("log.file", Kind::Path, Absent, r#""/var/log/grantry/grantry.log""#, "A file that the log is appended to, instead of standard error. It is for its owner alone, and SIGHUP opens it again, as logrotate needs."),
    row("log.audit", Kind::Flag, Absent, "true", "Does each audit event have a line in the log, with the target `audit`? true and false say so whatever `log.level` is. Where nothing is written, `log.level` decides: these lines are at the level info. `grantry event list` shows the events in any case."),

    row("audit.keep", Kind::Duration(86_400, 10 * YEAR_S), Text("396d"), "", "How long audit events are kept, with the network addresses in them: a year and a month by default. `grantry event list` shows them."),

    row("limits.connections", Kind::Count(1, 1_000_000), Count(10_000), "", "Connections at the same time."),
    row("limits.connections_per_address", Kind::Count(1, 1_000_000), Absent, "1000", "Connections at the same time from one client address, IPv6 by /64. Trusted proxies and Unix sockets are exempt. A tenth of `limits.connections` by default, and at least 100."),
    row("limits.header_timeout", Kind::Duration(1, 600), Text("10s"), "", "A request's header must be there within this time."),
    row("limits.body_timeout", Kind::Duration(1, 600), Text("10s"), "", "A request's body must be there within this time."),
    row("limits.request_timeout", Kind::Duration(1, 600), Text("30s"), "", "A request must be answered within this time."),
    row("limits.idle_timeout", Kind::Duration(1, 3600), Text("75s"), "", "A connection without a request is closed after this time."),
    row("limits.drain", Kind::Duration(0, 600), Text("30s"), "", "When told to stop, requests in flight get so long to end."),
    row("limits.body_bytes", Kind::Count(1024, 16_777_216), Count(65_536), "", "Size of a request's body in bytes."),
    row("limits.header_bytes", Kind::Count(4096, 1_048_576), Count(32_768), "", "Size of a request's header in bytes."),
    row("limits.hashing_threads", Kind::Count(1, 256), Absent, "1", "Passwords that are hashed at the same time, at 19 MiB each; all processors but one by default."),
];

/// The comment above each section in the file that `grantry init` writes.
pub const SECTIONS: &[(&str, &str)] = &[
    ("store", "Where everything is kept."),
    ("keys", "The keys of this installation."),
    ("tls", "TLS on the listener itself; leave it out behind a proxy that speaks TLS."),
    ("proxy", "The proxies in front."),
    ("dialects", "The surfaces that this server speaks. [dialect.NAME] overrides whatever NAME's file says."),
    ("session", "How long people stay signed in."),
    ("lockout", "Brute force."),
    ("brand", "What people see."),
    ("developer", "The developer pages."),
    ("fetch", "Outgoing requests. Private addresses are refused unless they are listed."),
    ("upstream.google", "Sign in with Google: a button on the sign-in page, and ID tokens where a surface takes them."),
    ("log", "Logs go to standard error, or to a file, and never hold secrets."),
    ("audit", "The audit trail: who signed in, what was allowed, what was changed."),
    ("limits", "How much at once."),
];

/// Returns true if this is the name of a section, or contains one.
#[must_use]
pub fn is_section(path: &str) -> bool {
    SECTIONS.iter().any(|(own, _)| own.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Returns the option with this path.
#[must_use]
pub fn find(path: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.path == path)
}

/// Returns the keys of a section without its name. `""` is the top level, whose keys include the sections.
pub fn keys_of(section: &str) -> impl Iterator<Item = &'static str> {
    let own = TABLE.iter().filter_map(move |row| match row.path.rsplit_once('.') {
        Some((its, key)) => (its == section).then_some(key),
        None => section.is_empty().then_some(row.path),
    });
    // A nested section is listed by its last name.
    let inner = SECTIONS.iter().filter_map(move |(name, _)| name.strip_prefix(section)?.strip_prefix('.'));
    let top =
        SECTIONS.iter().map(|(name, _)| name.split_once('.').map_or(*name, |(outer, _)| outer)).chain(["dialect"]);
    let sections = inner.chain(top.filter(move |_| section.is_empty()));
    own.chain(sections)
}

impl Row {
    /// Returns the environment variable that overrides the option.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("GRANTRY_{}", self.path.replace('.', "__").to_uppercase())
    }

    /// Returns the default in TOML, or the example if there is none.
    #[must_use]
    pub fn sample(&self) -> String {
        match self.default {
            Absent => self.example.to_owned(),
            Text(text) => format!("{text:?}"),
            Count(number) => number.to_string(),
            Flag(flag) => flag.to_string(),
            Texts(_) if !self.example.is_empty() => self.example.to_owned(),
            Texts(texts) => format!("{texts:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_is_explained_and_every_explanation_has_a_section() {
        let mut named: Vec<&str> = TABLE.iter().filter_map(|row| Some(row.path.rsplit_once('.')?.0)).collect();
        named.dedup();
        let mut explained: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
        named.sort_unstable();
        explained.sort_unstable();
        assert_eq!(named, explained);
    }

    #[test]
    fn what_has_no_default_has_an_example() {
        for row in TABLE {
            assert!(row.default != Absent || !row.example.is_empty(), "{}", row.path);
        }
    }
}
