//! The commands of a guide, run as a reader would run them: in an empty world, one after the other, against the real binary.
//!
//! A guide is Markdown. Comments in it, which no reader sees, say what is done with the code block that follows. They begin
//! with `test:` and go on with one of these:
//!
//! - `run`: run the block with bash. Every command must succeed. `fails`: the last command must fail.
//! - `file PATH`, `append PATH`: write the block to a file.
//! - `shows`: the commands before printed this block. `…` stands for any text, and on a line of its own for any lines.
//! - `skip`, and why: nothing is done with the block.
//!
//! These stand alone:
//!
//! - `begin`: a new, empty world. What comes before it in the guide is another one's.
//! - `needs PROGRAM…`: without these programs the test is skipped.
//! - `where A is B`: from now on A is read as B.
//! - `NAME from FIELD`: from now on the word NAME is read as a value that the commands before printed: behind FIELD at the
//!   begin of a line (a `-` stands for a space), as the member FIELD of JSON, or, if FIELD ends with `_`, as the word that
//!   begins with it.
//! - `hidden` and a line break: run the rest of the comment, as `run` does.
//!
//! Every `sh` block of a guide that is run needs a comment, so that no command is forgotten. In a world, folders such as
//! `/etc/` lie below a temporary folder, the addresses of the guide are loopback ports, `grantry` is the binary under test,
//! and `sudo`, `systemctl` and `useradd` do what they would do for a service, without a service manager.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{binary, free_port};

/// How long the commands of one block may take.
const BLOCK_MAX: Duration = Duration::from_secs(60);
/// Folders of the system that a world has below its own.
const FOLDERS: &[&str] = &["/etc/", "/var/", "/usr/local/", "/run/", "/root/", "/srv/", "/opt/"];

/// A part of a guide that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    /// The line of the guide at which it begins.
    line: usize,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Begin,
    Needs(Vec<String>),
    Where(String, String),
    Keep(String, String),
    Run(String),
    Fails(String),
    File(String, String),
    Append(String, String),
    Shows(String),
}

/// The outcome of walking through a guide.
#[derive(Debug, PartialEq, Eq)]
pub enum Walked {
    /// All of it holds. The number of blocks that were run or compared.
    Whole(usize),
    /// A program that the guide uses is not here.
    Lacks(String),
}

/// Walks through a guide of `docs/guide`.
///
/// # Errors
/// The first thing that does not hold, with its line.
///
/// # Panics
/// When the guide is not there.
pub fn walk(name: &str) -> Result<Walked, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    walk_text(&text).map_err(|why| format!("docs/guide/{name}:{why}"))
}

/// As [`walk`], for the text of a guide.
///
/// # Errors
/// Those of [`walk`].
pub fn walk_text(text: &str) -> Result<Walked, String> {
    let (mut world, mut done) = (World::new(), 0);
    for Step { line, what } in steps(text)? {
        match what {
            What::Begin => world = World::new(),
            What::Needs(programs) => {
                if let Some(lacking) = programs.into_iter().find(|name| !is_here(name)) {
                    let why = if lacking == "root" {
                        "only root may do what the guide says".to_owned()
                    } else {
                        format!("{lacking} is not installed")
                    };
                    return Ok(Walked::Lacks(why));
                }
            }
            step => {
                let counts = !matches!(step, What::Where(..) | What::Keep(..));
                world.take(step).map_err(|why| format!("{line}: {why}"))?;
                done += usize::from(counts);
            }
        }
    }
    Ok(Walked::Whole(done))
}

/// `root` is not a program but the account: some commands of a guide are for root alone.
fn is_here(program: &str) -> bool {
    if program == "root" {
        return fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    }
    ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/sbin"]
        .iter()
        .any(|folder| Path::new(folder).join(program).exists())
}

/// Reads a guide.
fn steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    // What the last comment says of the next block.
    let mut said: Option<(usize, String)> = None;
    while let Some((at, line)) = lines.next() {
        let own = line.trim();
        if let Some(rest) = own.strip_prefix("<!-- test:") {
            let mut words = rest.to_owned();
            while !words.trim_end().ends_with("-->") {
                let (_, more) = lines.next().ok_or(format!("{at}: the comment does not end"))?;
                words.push('\n');
                words.push_str(more);
            }
            let words = words.trim_end().trim_end_matches("-->").trim().to_owned();
            match alone(&words) {
                Some(what) => steps.push(Step { line: at, what }),
                None => said = Some((at, words)),
            }
        } else if let Some(language) = own.strip_prefix("```") {
            let indent = line.len() - line.trim_start().len();
            let mut block = String::new();
            loop {
                let (_, inner) = lines.next().ok_or(format!("{at}: the block does not end"))?;
                if inner.trim() == "```" {
                    break;
                }
                let _ = writeln!(block, "{}", inner.get(indent..).unwrap_or(inner.trim_start()));
            }
            match said.take() {
                Some((_, words)) => steps.extend(of_block(&words, block, at)?),
                None if language == "sh" => {
                    return Err(format!("{at}: no comment says what is done with these commands"));
                }
                None => {}
            }
        } else if let (Some((line, words)), false) = (&said, own.is_empty()) {
            return Err(format!("{line}: no block follows `{words}`"));
        }
    }
    Ok(steps)
}

/// A comment that stands alone.
fn alone(words: &str) -> Option<What> {
    if let Some(commands) = words.strip_prefix("hidden\n") {
        return Some(What::Run(format!("{commands}\n")));
    }
    match *words.split_whitespace().collect::<Vec<_>>() {
        ["begin"] => Some(What::Begin),
        ["needs", ref programs @ ..] => Some(What::Needs(programs.iter().map(|own| (*own).to_owned()).collect())),
        ["where", from, "is", to] => Some(What::Where(from.to_owned(), to.to_owned())),
        [name, "from", field] => Some(What::Keep(name.to_owned(), field.to_owned())),
        _ => None,
    }
}

/// What is done with a block.
fn of_block(words: &str, block: String, line: usize) -> Result<Option<Step>, String> {
    let what = match words.split_once(' ').unwrap_or((words, "")) {
        ("run", "") => What::Run(block),
        ("fails", "") => What::Fails(block),
        ("shows", "") => What::Shows(block),
        ("file", path) => What::File(path.to_owned(), block),
        ("append", path) => What::Append(path.to_owned(), block),
        ("skip", why) if !why.is_empty() => return Ok(None),
        _ => return Err(format!("{line}: `{words}` is nothing that can be done")),
    };
    Ok(Some(Step { line, what }))
}

/// Where the commands of a guide are run.
struct World {
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
    fn new() -> Self {
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

    fn take(&mut self, what: What) -> Result<(), String> {
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

    #[test]
    fn a_guide_whose_commands_do_not_do_what_it_says_is_not_whole() {
        let guide = |how: &str, commands: &str| format!("# A\n\n<!-- test: {how} -->\n```sh\n{commands}\n```\n");
        assert_eq!(walk_text(&guide("run", "true")), Ok(Walked::Whole(1)));
        assert!(walk_text(&guide("run", "false\ntrue")).unwrap_err().starts_with("4: these commands fail"));
        assert!(walk_text(&guide("fails", "true")).unwrap_err().contains("these commands succeed"));
        assert!(walk_text("```sh\ntrue\n```\n").unwrap_err().contains("no comment"));
        assert!(walk_text(&guide("frobnicate", "true")).unwrap_err().contains("nothing that can be done"));
        let shown =
            |text: &str| guide("run", "echo 1 of 2") + &format!("\n<!-- test: shows -->\n```text\n{text}\n```\n");
        assert_eq!(walk_text(&shown("1 of …")), Ok(Walked::Whole(2)));
        assert!(walk_text(&shown("2 of …")).unwrap_err().contains("but the commands printed"));
    }

    #[test]
    fn a_world_keeps_variables_and_the_folder_and_has_the_folders_of_a_system() {
        let text = "<!-- test: hidden\nmkdir a\ncd a\nNAME=x\nwhere=/etc/grantry\nmkdir -p $where\n-->\n<!-- test: run -->\n```sh\n\
                    test \"$(basename $PWD)$NAME\" = ax\ntest -d /etc/grantry\ntest ! $where = /etc/nothing\nprintf 'id  %s\\n' 17\n```\n\
                    <!-- test: ID from id -->\n<!-- test: run -->\n```sh\ntest ID = 17\n```\n<!-- test: begin -->\n\
                    <!-- test: run -->\n```sh\ntest -z \"$NAME\"\n```\n";
        assert_eq!(walk_text(text), Ok(Walked::Whole(4)));
        assert!(matches!(walk_text("<!-- test: needs no-such-program -->\n"), Ok(Walked::Lacks(_))));
    }
}
