//! `grantry init`: writes a commented configuration, made from the table of options, and a new master key.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::answer::{Answer, CommandError};
use crate::config::options::{self, Otherwise, Row};
use crate::keys;

/// Maximum length of a comment line in the file, in characters.
const LINE_CHARACTERS_MAX: usize = 100;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  grantry init --dir /etc/grantry\n\nNothing is ever overwritten.")]
pub(super) struct Init {
    /// Where to write; made when it is not there.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

impl Init {
    pub(super) fn run(self) -> Result<Answer, CommandError> {
        let (config, key) = (self.dir.join("grantry.toml"), self.dir.join("grantry.key"));
        for path in [&config, &key] {
            if path.exists() {
                return Err(CommandError::no(format!("{} is there already: it is not overwritten", path.display())));
            }
        }
        let cannot = |path: &Path, error: &std::io::Error| {
            CommandError::no(format!("{} cannot be written: {}", path.display(), crate::config::plain(error)))
        };
        std::fs::create_dir_all(&self.dir).map_err(|error| cannot(&self.dir, &error))?;
        keys::make(&key).map_err(CommandError::no)?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&config).and_then(|mut file| file.write_all(sample().as_bytes()));
        written.map_err(|error| cannot(&config, &error))?;
        let text = format!(
            "Wrote {config} and {key}.\n\nNext:\n  1. Set `issuer` in {config} to your public URL; as it is, it is for this machine only.\n  \
             2. grantry check --config {config}\n  3. grantry serve --config {config}\n\n\
             Keep a copy of {key} in a safe place: the database is worth nothing without it.",
            config = config.display(),
            key = key.display(),
        );
        Ok(Answer::new(json!({"config": config.display().to_string(), "key": key.display().to_string()}), text))
    }
}

/// Returns a configuration with every option. Options with a default are commented out.
#[must_use]
fn sample() -> String {
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
            option(&mut out, row, key);
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

    #[test]
    fn the_written_file_is_a_configuration_of_defaults() {
        let folder = tempfile::tempdir().unwrap();
        Init { dir: folder.path().join("new") }.run().unwrap();
        let path = folder.path().join("new/grantry.toml");
        let loaded = crate::config::load(&path, &[]).unwrap();
        assert_eq!(loaded.configuration.settings.issuer, "http://localhost:8080");
        assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    }

    #[test]
    fn every_option_is_in_the_written_file() {
        let text = sample();
        for row in options::TABLE {
            assert!(text.contains(row.path.rsplit('.').next().unwrap()), "{}", row.path);
        }
    }

    #[test]
    fn what_is_commented_out_can_be_switched_on() {
        // Every comment that looks like an option must be one that the configuration reader knows.
        let switched_on: String = sample()
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
        let init = || Init { dir: folder.path().to_path_buf() };
        init().run().unwrap();
        let key = std::fs::read(folder.path().join("grantry.key")).unwrap();
        assert!(init().run().is_err());
        assert_eq!(std::fs::read(folder.path().join("grantry.key")).unwrap(), key);
    }
}
