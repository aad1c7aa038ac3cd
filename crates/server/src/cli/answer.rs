//! What a command says, and how it ends.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::config::plain;
use crate::observe::sink;

/// Done.
pub(super) const DONE: u8 = 0;
/// The answer is no: not found, refused, a check that failed.
pub(super) const NO: u8 = 1;
/// Wrong usage.
pub(super) const USAGE: u8 = 2;

/// What a command has to say: the same thing for programs and for people.
#[derive(Debug)]
pub struct Answer {
    /// For programs.
    pub document: Value,
    /// For people.
    pub text: String,
    /// Did the command find that the answer is no, and has it said why?
    pub is_no: bool,
}

impl Answer {
    /// An answer that says yes.
    #[must_use]
    pub fn new(document: Value, text: impl Into<String>) -> Self {
        Self { document, text: text.into(), is_no: false }
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Stop {
    code: u8,
    text: String,
}

impl Stop {
    /// The answer is no. The text names the fault and the next step.
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

impl Stop {
    /// Both reasons, a line each. One of wrong usage makes the whole command wrong usage, whichever comes first.
    #[must_use]
    pub(super) fn and(self, other: &Self) -> Self {
        Self { code: self.code.max(other.code), text: format!("{}\n{}", self.text, other.text) }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<crate::serve::ServeError> for Stop {
    fn from(error: crate::serve::ServeError) -> Self {
        Self::no(error.to_string())
    }
}

impl From<store::Fault> for Stop {
    fn from(fault: store::Fault) -> Self {
        Self::no(fault.to_string())
    }
}

/// Prints an answer.
pub(super) fn print(answer: &Answer, is_json: bool) -> ExitCode {
    let is_out = if is_json {
        // A command that runs for long said what it had to say when it began.
        answer.document.is_null() || print_document(&answer.document)
    } else if answer.text.is_empty() {
        true
    } else {
        print_line(answer.text.trim_end())
    };
    ExitCode::from(if answer.is_no || !is_out { NO } else { DONE })
}

/// Prints why a command stopped: for people on standard error, for programs also as the one document.
pub(super) fn print_stop(stop: &Stop, is_json: bool) -> ExitCode {
    sink::say(&stop.to_string());
    if is_json {
        print_document(&json!({"error": stop.text}));
    }
    ExitCode::from(stop.code)
}

/// Prints one JSON document and says whether it got out.
pub(super) fn print_document(document: &Value) -> bool {
    print_line(&document.to_string())
}

/// Prints text and says whether it got out. A reader that went away, such as `head`, had what it wanted: that is no failure.
/// Any other reason is told on standard error, because the answer may hold a secret that is shown only once.
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
