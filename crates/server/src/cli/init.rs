//! `grantry init`: a commented configuration, made from the table of options, and a fresh master key beside it. With `--user`
//! also the folder of the database, with the rights that a service needs.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::answer::{Answer, CommandError};
use crate::config::options::{self, Otherwise, Row};
use crate::config::plain;
use crate::keys;

/// Maximum length of a comment line in the file, in characters.
const LINE_CHARACTERS_MAX: usize = 100;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  grantry init
  grantry init --dir /etc/grantry --data /var/lib/grantry --user grantry     as root, for a service

Nothing is ever overwritten.")]
pub(super) struct Init {
    /// Where to write; made when it is not there.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// The folder of the database; made when it is not there [default: the one of --dir].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The account that the server will run as. It may read the configuration and the key, and owns the folder of the
    /// database. For root only.
    #[arg(long, value_name = "USER", requires = "data")]
    user: Option<String>,
}

/// An account of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    uid: u32,
    gid: u32,
}

/// What was made, to be removed again if the rest cannot be made.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    fn take_back(&self) {
        for path in self.0.iter().rev() {
            let _ = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
        }
    }
}

impl Init {
    pub(super) fn run(self) -> Result<Answer, CommandError> {
        let (config, key) = (self.dir.join("grantry.toml"), self.dir.join("grantry.key"));
        for path in [&config, &key] {
            if path.exists() {
                return Err(CommandError::no(format!("{} is there already: it is not overwritten", path.display())));
            }
        }
        let account = self.user.as_deref().map(account).transpose()?;
        let data = self.data.as_deref().map(absolute).transpose()?;
        let mut made = Made::default();
        let done = write(&self.dir, data.as_deref(), account, (&config, &key), &mut made);
        if done.is_err() {
            made.take_back();
        }
        done?;
        let text = self.next(&config, &key);
        let document = json!({
            "config": config.display().to_string(), "key": key.display().to_string(), "data": data,
        });
        Ok(Answer::new(document, text))
    }

    /// Says what was written, and what to do next.
    fn next(&self, config: &Path, key: &Path) -> String {
        let (config, key) = (config.display(), key.display());
        let (rights, run) = match (&self.user, &self.data) {
            (Some(user), Some(data)) => {
                let rights = format!(" {user} may read both, and owns {}.", data.display());
                (rights, format!("sudo -u {user} grantry check --config {config}\n  3. Start the service"))
            }
            _ => (String::new(), format!("grantry check --config {config}\n  3. grantry serve --config {config}")),
        };
        format!(
            "Wrote {config} and {key}.{rights}\n\nNext:\n  1. Set `issuer` in {config} to your public URL; as it is, it is for this \
             machine only.\n  2. {run}\n\nKeep a copy of {key} in a safe place: the database is worth nothing without it."
        )
    }
}

/// Makes folders and files, and gives them their rights.
fn write(
    dir: &Path,
    data: Option<&str>,
    account: Option<Account>,
    (config, key): (&Path, &Path),
    made: &mut Made,
) -> Result<(), CommandError> {
    // Files that the account may read but not change, in a folder that it may enter.
    let readable = account.map(|account| (0, account.gid));
    folder(dir, readable.map(|owner| (owner, 0o750)), made)?;
    if let Some(data) = data {
        let owner = account.map(|account| ((account.uid, account.gid), 0o700));
        folder(Path::new(data), owner, made)?;
    }
    keys::make(key).map_err(CommandError::no)?;
    made.0.push(key.to_owned());
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(config);
    let mut file = opened.map_err(|error| cannot(config, &error))?;
    made.0.push(config.to_owned());
    file.write_all(sample(data).as_bytes()).map_err(|error| cannot(config, &error))?;
    if let Some(owner) = readable {
        for path in [config, key] {
            give(path, owner, 0o640)?;
        }
    }
    Ok(())
}

/// Makes a folder that is not there, with those around it. A new one gets an owner and a mode, and those around it are open
/// to all, so that the owner can reach it.
fn folder(path: &Path, rights: Option<((u32, u32), u32)>, made: &mut Made) -> Result<(), CommandError> {
    let missing: Vec<&Path> = path.ancestors().take_while(|own| !own.as_os_str().is_empty() && !own.exists()).collect();
    if missing.is_empty() && !path.is_dir() {
        return Err(cannot(path, &io::ErrorKind::NotADirectory.into()));
    }
    for own in missing.into_iter().rev() {
        fs::create_dir(own).map_err(|error| cannot(own, &error))?;
        made.0.push(own.to_owned());
        match rights {
            Some((owner, mode)) if own == path => give(own, owner, mode)?,
            Some(_) => give(own, (0, 0), 0o755)?,
            None => {}
        }
    }
    Ok(())
}

fn give(path: &Path, (uid, gid): (u32, u32), mode: u32) -> Result<(), CommandError> {
    let given =
        chown(path, Some(uid), Some(gid)).and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)));
    given.map_err(|error| CommandError::no(format!("{} cannot be given away: {}", path.display(), plain(&error))))
}

fn cannot(path: &Path, error: &io::Error) -> CommandError {
    CommandError::no(format!("{} cannot be written: {}", path.display(), plain(error)))
}

/// The path as the configuration names it: a relative one would begin at the configuration's folder.
fn absolute(path: &Path) -> Result<String, CommandError> {
    let full = std::path::absolute(path).map_err(|error| cannot(path, &error))?;
    full.into_os_string().into_string().map_err(|_| CommandError::no(format!("{} is not UTF-8 text", path.display())))
}

/// Finds the account that files are given to.
fn account(name: &str) -> Result<Account, CommandError> {
    if !rustix::process::geteuid().is_root() {
        return Err(CommandError::no(format!(
            "only root can give files to {name}: run this command with sudo, or without --user"
        )));
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    found(&accounts, name).ok_or_else(|| {
        CommandError::no(format!(
            "there is no account `{name}` in /etc/passwd: make it with `useradd --system --no-create-home --shell \
             /usr/sbin/nologin {name}`"
        ))
    })
}

/// The account with this name in a text such as /etc/passwd.
fn found(accounts: &str, name: &str) -> Option<Account> {
    let mut lines = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let line = lines.find(|fields| fields.first() == Some(&name))?;
    Some(Account { uid: line.get(2)?.parse().ok()?, gid: line.get(3)?.parse().ok()? })
}

/// The configuration with every option in it: those with a default are comments. `data` is the folder of the database, where
/// it is not the configuration's own.
#[must_use]
fn sample(data: Option<&str>) -> String {
    let mut out = String::from(
        "# Grantry. Every option is here; what is commented out shows its default or an example.\n\
         # Durations are \"90s\", \"10m\", \"2h\" or \"30d\"; relative paths are beside this file. An environment variable\n\
         # such as GRANTRY_STORE__URL overrides store.url, and GRANTRY_STORE__URL_FILE names a file with the value.\n\
         # `grantry check` finds all problems before the server does.\n\n",
    );
    for row in options::TABLE.iter().filter(|row| !row.path.contains('.')) {
        option(&mut out, row, row.path);
    }
    for (section, sentence) in options::SECTIONS {
        out.push('\n');
        comment(&mut out, sentence);
        // The head of a section is never commented out.
        let _ = writeln!(out, "[{section}]\n");
        let own = options::TABLE.iter().filter_map(|row| Some((row, row.path.rsplit_once('.')?)));
        for (row, (_, key)) in own.filter(|(_, (its, _))| its == section) {
            match data {
                // Text of JSON is text of TOML.
                Some(data) if row.path == "store.url" => {
                    comment(&mut out, row.sentence);
                    let _ = writeln!(out, "{key} = {}", json!(format!("sqlite:{data}/grantry.db")));
                }
                _ => option(&mut out, row, key),
            }
        }
    }
    out.push_str(
        "\n# Scopes of your own take the place of the standard two.\n\
         # [dialect.standard]\n\
         # resources = [\"https://api.example.com/\"]\n\
         # token     = { access = { ttl = \"1h\" } }\n\
         # [dialect.standard.scope]\n\
         # list = { \"profile\" = \"See your name\", \"links:read\" = \"Read your links\" }\n",
    );
    out
}

fn option(out: &mut String, row: &Row, key: &str) {
    comment(out, row.sentence);
    // Writing into a string cannot fail.
    let _ = match row.path {
        "issuer" => writeln!(out, "issuer = \"http://localhost:8080\""),
        "keys.master_file" => writeln!(out, "master_file = \"grantry.key\""),
        _ if row.default == Otherwise::Absent => writeln!(out, "# {key} = {}", row.example),
        _ => writeln!(out, "# {key} = {}", row.sample()),
    };
}

fn comment(out: &mut String, sentence: &str) {
    let mut line = String::from("#");
    for word in sentence.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > LINE_CHARACTERS_MAX {
            let _ = writeln!(out, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init(dir: &Path) -> Init {
        Init { dir: dir.to_path_buf(), data: None, user: None }
    }

    #[test]
    fn the_written_file_is_a_configuration_of_defaults() {
        let folder = tempfile::tempdir().unwrap();
        init(&folder.path().join("new")).run().unwrap();
        let path = folder.path().join("new/grantry.toml");
        let loaded = crate::config::load(&path, &[]).unwrap();
        assert_eq!(loaded.configuration.settings.issuer, "http://localhost:8080");
        assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    }

    #[test]
    fn every_option_is_in_the_written_file() {
        let text = sample(None);
        for row in options::TABLE {
            assert!(text.contains(row.path.rsplit('.').next().unwrap()), "{}", row.path);
        }
    }

    #[test]
    fn what_is_commented_out_can_be_switched_on() {
        // Every comment that looks like an option is one that the reader knows.
        let switched_on: String = sample(None)
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(table) if table.starts_with('[') && table.ends_with(']') => table,
                Some(option) if option.split_once('=').is_some_and(|(key, _)| !key.trim().contains(' ')) => option,
                _ => line,
            })
            .collect::<Vec<_>>()
            .join("\n");
        let problems = crate::config::of_text("g.toml", switched_on, Path::new("/nowhere"), &[]).unwrap_err();
        let unknown: Vec<String> = problems
            .iter()
            .map(ToString::to_string)
            .filter(|text| text.contains("unknown") || text.contains("must be a"))
            .collect();
        assert_eq!(unknown, Vec::<String>::new());
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path()).run().unwrap();
        let key = std::fs::read(folder.path().join("grantry.key")).unwrap();
        assert!(init(folder.path()).run().is_err());
        assert_eq!(std::fs::read(folder.path().join("grantry.key")).unwrap(), key);
    }

    #[test]
    fn the_database_can_have_a_folder_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, data) = (folder.path().join("etc"), folder.path().join("a \"b\""));
        Init { data: Some(data.clone()), ..init(&dir) }.run().unwrap();
        let loaded = crate::config::load(&dir.join("grantry.toml"), &[]).unwrap();
        assert_eq!(loaded.configuration.store_url, format!("sqlite:{}/grantry.db", data.display()));
        assert!(data.is_dir());
    }

    #[test]
    fn what_was_made_goes_when_the_rest_cannot_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let dir = folder.path().join("etc");
        for data in [file.join("data"), file.clone()] {
            Init { data: Some(data), ..init(&dir) }.run().unwrap_err();
            assert!(!dir.exists());
        }
    }

    #[test]
    fn the_service_may_read_its_files_and_owns_its_data() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let (dir, data) = (folder.path().join("etc"), folder.path().join("srv/data"));
        let init = Init { data: Some(data.clone()), user: Some("nobody".to_owned()), ..init(&dir) };
        if !rustix::process::geteuid().is_root() {
            assert!(format!("{:?}", init.run().unwrap_err()).contains("only root"));
            return;
        }
        let nobody = found(&std::fs::read_to_string("/etc/passwd").unwrap(), "nobody").unwrap();
        init.run().unwrap();
        let rights = |path: &Path| {
            let own = std::fs::metadata(path).unwrap();
            (own.uid(), own.gid(), own.mode() & 0o777)
        };
        assert_eq!(rights(&data), (nobody.uid, nobody.gid, 0o700));
        assert_eq!(rights(&folder.path().join("srv")), (0, 0, 0o755), "the service can reach its data");
        assert_eq!(rights(&dir), (0, nobody.gid, 0o750));
        for file in ["grantry.toml", "grantry.key"] {
            assert_eq!(rights(&dir.join(file)), (0, nobody.gid, 0o640));
            assert_eq!(crate::config::loose(&dir.join(file)), None, "root gave it to the group on purpose");
        }
    }

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let text = "root:x:0:0::/root:/bin/sh\ngrantry-old:x:7:8::/:/bin/sh\ngrantry:x:998:997::/:/usr/sbin/nologin\n";
        assert_eq!(found(text, "grantry"), Some(Account { uid: 998, gid: 997 }));
        assert_eq!(found(text, "grant"), None);
    }
}
