//! The output of commands, and their exit codes.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::config::plain;
use crate::observe::sink;

/// Exit code: the command succeeded.
pub(super) const DONE: u8 = 0;
/// Exit code: the command failed, because something was not found, was refused, or failed a check.
pub(super) const NO: u8 = 1;
/// Exit code: wrong usage.
pub(super) const USAGE: u8 = 2;

/// The output of a command, in two forms with the same content.
#[derive(Debug)]
pub struct Answer {
    /// The JSON document for programs.
    pub document: Value,
    /// The text for people.
    pub text: String,
    /// True if the command failed and the output says why.
    pub is_no: bool,
}

impl Answer {
    /// The output of a successful command.
    #[must_use]
    pub fn new(document: Value, text: impl Into<String>) -> Self {
        Self { document, text: text.into(), is_no: false }
    }
}

/// The error of a command.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandError {
    code: u8,
    text: String,
}

impl CommandError {
    /// The command failed. The text names the fault and the next step.
    #[must_use]
    pub fn no(text: impl Into<String>) -> Self {
        Self { code: NO, text: text.into() }
    }

    /// The command was used wrongly.
    #[must_use]
    pub fn usage(text: impl Into<String>) -> Self {
        Self { code: USAGE, text: text.into() }
    }
}

impl CommandError {
    /// Joins two errors, one on each line. If one of them is wrong usage, so is the whole command.
    #[must_use]
    pub(super) fn and(self, other: &Self) -> Self {
        Self { code: self.code.max(other.code), text: format!("{}\n{}", self.text, other.text) }
    }
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<crate::serve::ServeError> for CommandError {
    fn from(error: crate::serve::ServeError) -> Self {
        Self::no(error.to_string())
    }
}

impl From<store::Fault> for CommandError {
    fn from(fault: store::Fault) -> Self {
        Self::no(fault.to_string())
    }
}

/// Prints the output of a command, and returns the exit code.
pub(super) fn print(answer: &Answer, is_json: bool) -> ExitCode {
    let is_out = if is_json {
        // A long-running command such as `event list --follow` has already printed its output.
        answer.document.is_null() || print_document(&answer.document)
    } else if answer.text.is_empty() {
        true
    } else {
        print_line(answer.text.trim_end())
    };
    ExitCode::from(if answer.is_no || !is_out { NO } else { DONE })
}

/// Prints an error to standard error, and with `is_json` also as the JSON document. Returns the exit code.
pub(super) fn print_stop(stop: &CommandError, is_json: bool) -> ExitCode {
    sink::say(&stop.to_string());
    if is_json {
        print_document(&json!({"error": stop.text}));
    }
    ExitCode::from(stop.code)
}

/// Prints one JSON document. Returns true if it was written.
pub(super) fn print_document(document: &Value) -> bool {
    print_line(&document.to_string())
}

/// Prints a text. Returns true if it was written. A reader that closed the pipe, such as `head`, has what it wanted and
/// is no failure. Any other error is reported on standard error, because the output may hold a secret that is shown
/// only once.
fn print_line(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => true,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => true,
        Err(error) => {
            sink::say(&format!("the answer could not be written to standard output: {}", plain(&error)));
            false
        }
    }
}
