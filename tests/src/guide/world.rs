//! The world in which the commands of a guide are run: folders, programs, and what the guide's names stand for.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::step::What;
use crate::{binary, free_port};

/// How long the commands of one block may take.
const BLOCK_MAX: Duration = Duration::from_secs(60);
/// Folders of the system that a world has below its own.
const FOLDERS: &[&str] = &["/etc/", "/var/", "/usr/local/", "/run/", "/root/", "/srv/", "/opt/"];

/// Where the commands of a guide are run.
pub(super) struct World {
    root: TempDir,
    /// What is read as something else, in this order.
    names: Vec<(String, String)>,
    printed: String,
    blocks: usize,
}

impl Drop for World {
    fn drop(&mut self) {
        // A guide may leave its server running.
        let _ = Command::new("bash").arg(self.path("bin/systemctl")).arg("stop").stdin(Stdio::null()).output();
    }
}

impl World {
    /// An empty world.
    pub(super) fn new() -> Self {
        let (public, admin) = (free_port(), free_port());
        let names = [
            ("https://auth.example.com".to_owned(), format!("http://127.0.0.1:{public}")),
            ("auth.example.com".to_owned(), format!("127.0.0.1:{public}")),
            (":8080".to_owned(), format!(":{public}")),
            (":9090".to_owned(), format!(":{admin}")),
        ];
        let root = tempfile::tempdir().expect("a temporary folder can be made");
        let own = Self { root, names: names.into(), printed: String::new(), blocks: 0 };
        own.furnish(public, admin);
        own
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Makes the folders and the programs of the world.
    fn furnish(&self, public: u16, admin: u16) {
        let root = self.root.path().display();
        for folder in [
            "bin",
            "root",
            "home",
            "etc/systemd/system",
            "var/lib",
            "var/log",
            "usr/local/bin",
            "run",
            "srv",
            "var/tmp",
        ] {
            fs::create_dir_all(self.path(folder)).expect("the folder is writable");
        }
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let state = format!(
            "export PATH={root}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME={root}/root LC_ALL=C.UTF-8 EDITOR=true\n\
             export TMPDIR={root} REPOSITORY={}\n\
             export GRANTRY_LISTEN=127.0.0.1:{public} GRANTRY_ADMIN_LISTEN=127.0.0.1:{admin}\ncd {root}/home\n",
            repository.display()
        );
        fs::write(self.path("state"), state).expect("the folder is writable");
        let programs = [
            // The account of the service is not made on this machine: another one stands in for it.
            (
                "grantry",
                format!("[[ $1 == init ]] && set -- \"${{@/#grantry/nobody}}\"\nexec {} \"$@\"", binary().display()),
            ),
            ("useradd", "exit 0".to_owned()),
            ("usermod", "exit 0".to_owned()),
            ("chown", CHOWN.to_owned()),
            ("sudo", "while [[ $1 == -* ]]; do [[ $1 == -u ]] && shift; shift; done\nexec \"$@\"".to_owned()),
            ("systemctl", SYSTEMCTL.replace("ROOT", &root.to_string()).replace("ADMIN", &admin.to_string())),
        ];
        for (name, text) in programs {
            let path = self.path("bin").join(name);
            fs::write(&path, format!("#!/usr/bin/env bash\n{text}\n")).expect("the folder is writable");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        std::os::unix::fs::symlink(self.path("bin/grantry"), self.path("usr/local/bin/grantry")).expect("it is new");
    }

    /// A text of the guide, in the words of this world.
    fn read(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.names {
            text = replaced(&text, from, to);
        }
        let root = self.root.path().display().to_string();
        for folder in FOLDERS {
            let mut out = String::new();
            let mut rest = text.as_str();
            while let Some(at) = rest.find(folder) {
                let before = rest[..at].chars().next_back().or(out.chars().next_back());
                out.push_str(&rest[..at]);
                // A path begins here, unless it is the rest of a longer one.
                if !before.is_some_and(|own| own.is_alphanumeric() || "._-}~".contains(own)) {
                    out.push_str(&root);
                }
                out.push_str(folder);
                rest = &rest[at + folder.len()..];
            }
            out.push_str(rest);
            text = out;
        }
        text
    }

    /// Does what a guide says next.
    pub(super) fn take(&mut self, what: What) -> Result<(), String> {
        match what {
            What::Begin | What::Needs(_) => Ok(()),
            What::Where(from, to) => {
                let to = self.read(&to);
                self.names.insert(0, (from, to));
                Ok(())
            }
            What::Keep(name, field) => {
                let value =
                    value_of(&field, &self.printed).ok_or(format!("nothing shows {field}:\n{}", self.printed))?;
                self.names.insert(0, (name, value));
                Ok(())
            }
            What::Run(commands) => self.run(&commands, true),
            What::Fails(commands) => self.run(&commands, false),
            What::File(path, text) => self.write(&path, &text, false),
            What::Append(path, text) => self.write(&path, &text, true),
            What::Shows(text) => {
                let wanted = self.read(&text);
                let is_shown = matches(&wanted.lines().collect::<Vec<_>>(), &self.printed.lines().collect::<Vec<_>>());
                if is_shown {
                    Ok(())
                } else {
                    Err(format!("it shows\n{wanted}\nbut the commands printed\n{}", self.printed))
                }
            }
        }
    }

    fn write(&self, path: &str, text: &str, appends: bool) -> Result<(), String> {
        let here = fs::read_to_string(self.path("state")).expect("it is written");
        let here = here.lines().rev().find_map(|line| line.strip_prefix("cd ")).expect("it names the folder");
        let path = Path::new(here.trim_matches('\'')).join(self.read(path));
        let folder = path.parent().expect("a file has a folder");
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let before = if appends { fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        fs::write(&path, before + &self.read(text)).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Runs commands in a shell that knows the folder and the variables of the one before.
    fn run(&mut self, commands: &str, is_right: bool) -> Result<(), String> {
        self.blocks += 1;
        let (script, printed) =
            (self.path(&format!("block-{}", self.blocks)), self.path(&format!("printed-{}", self.blocks)));
        // A hidden block may read what the block before it printed.
        let before = self.path(&format!("printed-{}", self.blocks - 1)).display().to_string();
        let state = self.path("state").display().to_string();
        // Variables that a block sets are there in the next one.
        let end = format!(
            "status=$?\n{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} >{state}.new && mv {state}.new {state}\nexit $status\n"
        );
        let stop = if is_right { "set -e\n" } else { "" };
        let text = format!(
            "trap '{}' EXIT\n. {state}\nset -a -o pipefail\nBEFORE={before}\n{stop}{}",
            end.replace('\'', r"'\''"),
            self.read(commands)
        );
        fs::write(&script, text).expect("the folder is writable");
        let out = File::create(&printed).expect("the folder is writable");
        let other = out.try_clone().expect("it can be shared");
        let mut command = Command::new("bash");
        command.arg(&script).env_clear().stdin(Stdio::null()).stdout(out).stderr(other);
        let mut child = command.spawn().map_err(|error| format!("bash does not start: {error}"))?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                break status;
            }
            if begun.elapsed() > BLOCK_MAX {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("these commands do not end:\n{commands}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        // The addresses of a world are plain http, which `check` warns about. Those of a guide are not.
        let text = fs::read_to_string(&printed).unwrap_or_default();
        let text = text.replace("good, with 1 warning\n", "good\n").replace("problem, 1 warning\n", "problem\n");
        self.printed = text.split_inclusive('\n').filter(|line| !line.contains("the issuer is plain http")).collect();
        if status.success() == is_right {
            return Ok(());
        }
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        let what = if is_right { "fail" } else { "succeed" };
        Err(format!("these commands {what}:\n{commands}\nThey print:\n{}\nThe server logged:\n{log}", self.printed))
    }
}

/// The value of a field in what commands printed.
fn value_of(field: &str, printed: &str) -> Option<String> {
    if field.ends_with('_') {
        return printed.split_whitespace().find(|word| word.starts_with(field)).map(ToOwned::to_owned);
    }
    let label = field.replace('-', " ");
    let of_line = |line: &str| Some(line.strip_prefix(&label)?.strip_prefix(' ')?.trim().to_owned());
    let of_json = |line: &str| Some(line.split_once(&format!("\"{field}\":\""))?.1.split('"').next()?.to_owned());
    printed.lines().find_map(of_line).or_else(|| printed.lines().find_map(of_json))
}

/// Puts one text in the place of another. One in capital letters, such as `CLIENT_ID`, must be a whole word.
fn replaced(text: &str, from: &str, to: &str) -> String {
    let is_of_word = |own: char| own.is_alphanumeric() || own == '_';
    let is_name = from.chars().all(|own| own.is_ascii_uppercase() || own == '_');
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        out.push_str(before);
        let is_whole = !out.ends_with(is_of_word) && !after.starts_with(is_of_word);
        out.push_str(if is_whole || !is_name { to } else { from });
        rest = after;
    }
    out + rest
}

/// Compares lines that a guide shows with lines that were printed. The number of spaces between words does not matter.
fn matches(wanted: &[&str], printed: &[&str]) -> bool {
    let Some((first, rest)) = wanted.split_first() else { return printed.is_empty() };
    if first.trim() == "…" {
        return (0..=printed.len()).any(|at| matches(rest, &printed[at..]));
    }
    printed.split_first().is_some_and(|(line, others)| is_like(first, line) && matches(rest, others))
}

/// Compares a line with one in which `…` stands for any text.
fn is_like(wanted: &str, line: &str) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (wanted, line) = (words(wanted), words(line));
    let parts: Vec<&str> = wanted.split('…').collect();
    let [first, between @ .., last] = &parts[..] else { return wanted == line };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Gives files to the account that stands in for that of the service.
const CHOWN: &str = r#"
group=$(id -gn nobody)
for word; do
  shift
  case $word in grantry:grantry) word=nobody:$group ;; root:grantry) word=root:$group ;; esac
  set -- "$@" "$word"
done
exec /bin/chown "$@"
"#;

/// Does for one service what systemd would do. The unit is that of the guide, or else `grantry serve` in the folder of the
/// caller. `start` waits until the server says that it is ready, as systemd does for `Type=notify`.
const SYSTEMCTL: &str = r#"
unit=ROOT/etc/systemd/system/grantry.service pid=ROOT/pid log=ROOT/log
command="grantry serve"
[[ -f $unit ]] && command=$(sed -n 's/^ExecStart=//p' "$unit")
# Nobody may have asked yet how a process ended: then it is there as a zombie.
is_running() { [[ -f $pid ]] && grep -qs '^State:[[:space:]]*[^Z]' "/proc/$(<"$pid")/status"; }
stop() {
  is_running || return 0
  kill -TERM "$(<"$pid")"
  for _ in {1..600}; do is_running || return 0; sleep 0.05; done
  kill -KILL "$(<"$pid")"
}
start() {
  is_running && return 0
  setsid $command >>"$log" 2>&1 </dev/null &
  echo $! >"$pid"
  for _ in {1..600}; do
    curl --silent --fail --output /dev/null http://127.0.0.1:ADMIN/readyz && return 0
    is_running || break
    sleep 0.05
  done
  echo "Job for grantry.service failed. See \"journalctl -u grantry\"."
  return 1
}
case $1 in
  start) start ;;
  enable) [[ $2 == --now ]] && start ;;
  stop) stop ;;
  restart) stop && start ;;
  reload) kill -HUP "$(<"$pid")" ;;
  is-active) is_running && echo active || { echo inactive; exit 3; } ;;
  daemon-reload) ;;
  *) echo "systemctl: $1 is not known here"; exit 1 ;;
esac
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_like_another_that_leaves_something_out() {
        for (wanted, line) in [("a b", "a   b"), ("id …", "id 12 34"), ("… of …", "1 of 2"), ("a…c", "abc")] {
            assert!(is_like(wanted, line), "{wanted} {line}");
        }
        for (wanted, line) in [("a b", "a c"), ("id …", "no 12"), ("a…c", "abd"), ("a", "a b")] {
            assert!(!is_like(wanted, line), "{wanted} {line}");
        }
    }

    #[test]
    fn lines_can_be_left_out_but_not_added() {
        assert!(matches(&["a", "…", "d"], &["a", "b", "c", "d"]));
        assert!(matches(&["…"], &[]));
        assert!(!matches(&["a"], &["a", "b"]));
        assert!(!matches(&["a", "b"], &["a"]));
    }
}
