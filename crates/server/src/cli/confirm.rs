//! The question before a command does what cannot be undone. It is asked on a terminal only: a script is not asked.

use std::io::{BufRead, IsTerminal};

use clap::Args;

use super::answer::CommandError;
use crate::observe::sink;

/// The option that answers the question beforehand.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct Sure {
    /// Do not ask. Without a terminal nothing is asked anyway.
    #[arg(long, short = 'y')]
    pub(super) yes: bool,
}

impl Sure {
    /// True if somebody sits at a terminal and has not said yes yet.
    pub(super) fn is_asked(self) -> bool {
        !self.yes && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
    }
}

/// Asks and waits for an answer.
///
/// # Errors
/// When the answer is not yes.
pub(super) fn ask(question: &str) -> Result<(), CommandError> {
    sink::say(&format!("{question}\nType yes to go on:"));
    let mut answer = String::new();
    // Who closes the terminal has not said yes.
    let _ = std::io::stdin().lock().read_line(&mut answer);
    if is_yes(&answer) { Ok(()) } else { Err(CommandError::no("nothing was changed; --yes skips the question")) }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// A count and its noun, "1 session" or "3 sessions".
pub(super) fn counted(count: usize, noun: &str) -> String {
    match count {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(["yes\n", "Y", " YES \r\n"].iter().all(|own| is_yes(own)));
        assert!(!["", "\n", "no", "yes please", "ja"].iter().any(|own| is_yes(own)));
    }

    #[test]
    fn nouns_are_counted() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "session")), ["no sessions", "1 session", "2 sessions"]);
    }
}
