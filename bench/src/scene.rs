//! A Grantry of its own, with a past.

use std::path::{Path, PathBuf};

use crate::process::{Server, binaries, free_port};
use crate::seed::{self, Seeder};

/// The host of each dialect that is not asked at the server's own address.
pub(crate) const TINYREBRAND_HOST: &str = "tinyrebrand.localhost";
pub(crate) const PHP_HOST: &str = "php.localhost";
/// SHA-256 of nothing: a key that nobody uses elsewhere.
pub(crate) const MASTER: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// What happened before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Past {
    /// Live access tokens.
    pub(crate) tokens: usize,
    /// Each so manieth of them is asked for.
    pub(crate) every: usize,
    /// Live refresh tokens, each of a grant of its own.
    pub(crate) grants: usize,
    /// Signed-in people who allowed the applications that ask, beside the first.
    pub(crate) browsers: usize,
    /// Live access tokens that people gave to an application, and as many personal tokens.
    pub(crate) people: usize,
    /// Has another dialect as many tokens?
    pub(crate) has_others: bool,
}

/// A server, and the files with what it was seeded with.
pub(crate) struct Scene {
    pub(crate) server: Server,
    /// Values of the header `Cookie`.
    pub(crate) cookies: PathBuf,
    pub(crate) tokens: PathBuf,
    pub(crate) refreshes: PathBuf,
    /// Access tokens of people.
    pub(crate) of_people: PathBuf,
    /// Personal tokens.
    pub(crate) personals: PathBuf,
    /// The same, of another dialect.
    pub(crate) other_tokens: PathBuf,
    pub(crate) other_refreshes: PathBuf,
    pub(crate) idle_mib: f64,
    pub(crate) start_ms: f64,
}

impl Scene {
    /// A Grantry on a SQLite file in a folder that is made for it.
    pub(crate) fn on_sqlite(folder: &Path, past: Past) -> Self {
        Self::of_binary_on_sqlite(&binaries().join("grantry"), folder, past)
    }

    /// As [`Scene::on_sqlite`], with another program than the one that was built with this one.
    pub(crate) fn of_binary_on_sqlite(binary: &Path, folder: &Path, past: Past) -> Self {
        Self::of_binary(binary, folder, &format!("sqlite:{}", folder.join("grantry.db").display()), past)
    }

    /// A Grantry on the store at an address, with a folder that is made for its files.
    pub(crate) fn set(folder: &Path, store_url: &str, past: Past) -> Self {
        Self::of_binary(&binaries().join("grantry"), folder, store_url, past)
    }

    /// As [`Scene::set`], with another program. An older one must be able to work on what this one's store makes of the
    /// schema, as in a rolling upgrade.
    pub(crate) fn of_binary(binary: &Path, folder: &Path, store_url: &str, past: Past) -> Self {
        std::fs::create_dir(folder).expect("the folder is writable");
        let (config, address) = configure(folder, store_url);
        let (server, took) = Server::grantry(binary, &config, &address);
        let idle_mib = server.memory_mib();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut seeder = Seeder::open(store_url, &MASTER).await;
            let mut cookies = vec![seeder.people().await];
            if past.browsers > 0 {
                cookies = seeder.browsers(&[&seed::STANDARD, &seed::PUBLIC], past.browsers).await;
            }
            let cookies: Vec<String> = cookies.iter().map(|value| format!("grantry-session={value}")).collect();
            let own = &seed::STANDARD;
            let (tokens, grants) = if past.has_others { (past.tokens, past.grants) } else { (0, 0) };
            let other = &seed::TINYREBRAND;
            Self {
                server,
                cookies: write(folder, "cookies.txt", &cookies),
                tokens: write(folder, "tokens.txt", &seeder.access(own, past.tokens, past.every).await),
                refreshes: write(folder, "refreshes.txt", &seeder.grants(own, past.grants).await),
                of_people: write(folder, "of-people.txt", &seeder.access_of_people(own, past.people).await),
                personals: write(folder, "personals.txt", &seeder.personals(past.people).await),
                other_tokens: write(folder, "other-tokens.txt", &seeder.access(other, tokens, past.every).await),
                other_refreshes: write(folder, "other-refreshes.txt", &seeder.grants(other, grants).await),
                idle_mib,
                start_ms: took.as_secs_f64() * 1e3,
            }
        })
    }
}

/// Writes a file of lines, and says where it is.
pub(crate) fn write(folder: &Path, name: &str, lines: &[String]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, lines.join("\n") + "\n").expect("the folder is writable");
    path
}

/// Writes a configuration; gives its path, and the address that it is for.
fn configure(folder: &Path, store_url: &str) -> (PathBuf, String) {
    let config = folder.join("grantry.toml");
    let (port, admin) = (free_port(), free_port());
    let master = data_encoding::BASE64URL_NOPAD.encode(&MASTER);
    let text = format!(
        "issuer = \"http://127.0.0.1:{port}\"\nlisten = \"127.0.0.1:{port}\"\nadmin_listen = \"127.0.0.1:{admin}\"\n\
         [store]\nurl = \"{store_url}\"\n[keys]\nmaster = \"{master}\"\n\
         [dialects]\nenable = [\"standard\", \"tinyrebrand\", \"php-endpoints\"]\n\
         accept = [\"password-grant\", \"open-introspection\", \"open-revocation\", \"code-without-redirect-uri\"]\n\
         [dialect.tinyrebrand]\nhosts = [\"{TINYREBRAND_HOST}\"]\nlimit = {{ token = \"off\", api = \"off\" }}\n\
         [dialect.php-endpoints]\nhosts = [\"{PHP_HOST}\"]\nlimit = {{ token = \"off\", api = \"off\" }}\n",
    );
    std::fs::write(&config, text).expect("the folder is writable");
    (config, format!("127.0.0.1:{port}"))
}
