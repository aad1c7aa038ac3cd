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

mod step;
mod world;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use step::{Step, What, steps};
use world::World;

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

#[cfg(test)]
mod tests {
    use super::*;

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
