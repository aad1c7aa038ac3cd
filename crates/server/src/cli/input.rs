//! Reading secrets from standard input or from files. Secrets are never arguments, because every process can see those.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use protocol::secret::Secret;

use super::answer::CommandError;
use crate::config::{BYTE_ORDER_MARK, loose};
use crate::observe::sink;

/// Maximum size of a secret in bytes. A larger input is a mistake.
const BYTES_MAX: u64 = 64 * 1024;

/// Where a password comes from.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct PasswordFrom {
    /// Read the password from standard input.
    #[arg(long)]
    password_stdin: bool,
    /// Read the password from this file.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Make a password and show it, this once.
    #[arg(long)]
    password_generate: bool,
}

/// A password that the operator gave, or that was generated.
pub(super) struct Password {
    pub(super) text: Secret,
    pub(super) is_generated: bool,
}

impl PasswordFrom {
    /// Reads or generates the password; `None` if no option asks for one.
    pub(super) fn read(
        &self,
        entropy: &mut protocol::crypto::entropy::Entropy,
    ) -> Result<Option<Password>, CommandError> {
        if self.password_generate {
            return Ok(Some(Password { text: generated_password(entropy), is_generated: true }));
        }
        let text = match &self.password_file {
            Some(path) => file(path)?,
            None if self.password_stdin => stdin("the password")?,
            None => return Ok(None),
        };
        Ok(Some(Password { text, is_generated: false }))
    }
}

/// Generates a password: four groups of five characters that cannot be mistaken for each other, about 99 bits.
pub(crate) fn generated_password(entropy: &mut protocol::crypto::entropy::Entropy) -> Secret {
    const DIGITS: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
    let mut text = String::new();
    while text.len() < 23 {
        if text.len() % 6 == 5 {
            text.push('-');
        }
        let [byte] = entropy.bytes::<1>();
        // Skip values beyond the alphabet, so that all characters are equally likely.
        if let Some(digit) = DIGITS.get(usize::from(byte & 0x1f)) {
            text.push(char::from(*digit));
        }
    }
    Secret::new(text)
}

/// Reads a secret from standard input, without the end of its line.
pub(super) fn stdin(what: &str) -> Result<Secret, CommandError> {
    let stdin = std::io::stdin();
    if std::io::IsTerminal::is_terminal(&stdin) {
        sink::say(&format!("Type {what}, then Enter and Ctrl-D. It is shown as you type; a pipe is better."));
    }
    read(&mut stdin.lock(), what)
}

/// Reads a secret from a file, without the end of its line.
pub(super) fn file(path: &Path) -> Result<Secret, CommandError> {
    let name = path.display().to_string();
    if let Some(text) = loose(path) {
        sink::say(&format!("warning: {text}"));
    }
    let mut file = std::fs::File::open(path)
        .map_err(|error| CommandError::no(format!("{name} cannot be read: {}", crate::config::plain(&error))))?;
    read(&mut file, &name)
}

fn read(from: &mut dyn Read, what: &str) -> Result<Secret, CommandError> {
    let mut text = zeroize::Zeroizing::new(String::new());
    from.take(BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| CommandError::no(format!("{what} cannot be read: {}", crate::config::plain(&error))))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(CommandError::no(format!("{what} is longer than {BYTES_MAX} bytes")));
    }
    let line = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(CommandError::no(format!("{what} is empty")));
    }
    if line.contains(['\n', '\r', '\0']) {
        return Err(CommandError::no(format!("{what} has more than one line")));
    }
    Ok(Secret::new(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::crypto::entropy::Entropy;

    fn line(text: &str) -> Result<String, String> {
        read(&mut text.as_bytes(), "it").map(|secret| secret.reveal().to_owned()).map_err(|stop| stop.to_string())
    }

    #[test]
    fn a_secret_is_one_line_and_keeps_its_spaces() {
        assert_eq!(line(" pass word \n").unwrap(), " pass word ");
        assert_eq!(line("x\r\n").unwrap(), "x");
        assert_eq!(line("\u{feff}x\n").unwrap(), "x", "a byte order mark is no part of a secret");
        assert!(line("\u{feff}\n").unwrap_err().contains("empty"));
        assert!(line("").unwrap_err().contains("empty"));
        assert!(line("a\nb\n").unwrap_err().contains("more than one line"));
        assert!(line(&"x".repeat(70_000)).unwrap_err().contains("longer"));
    }

    #[test]
    fn a_generated_password_is_four_groups_and_never_the_same() {
        let mut entropy = Entropy::seeded([1; 32], 1);
        let one = generated_password(&mut entropy);
        let groups: Vec<usize> = one.reveal().split('-').map(str::len).collect();
        assert_eq!(groups, [5, 5, 5, 5]);
        assert_ne!(one, generated_password(&mut entropy));
        assert_eq!(protocol::person::password::may_be(&one, &[]), Ok(()));
    }
}
