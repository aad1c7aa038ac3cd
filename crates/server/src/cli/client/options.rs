//! The options of `client add` and `client set`, made from the table of client settings.

use clap::builder::{BoolishValueParser, PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use protocol::client_setting::{CommandOption, Form, Given, Help, Proposal, Row, Setting, TABLE};
use protocol::model::GrantType;

use crate::config::{duration, plain, suggestion};

/// Maximum size of a file with a JSON document, in bytes. The setting itself may allow less.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024;

/// The options of `client add`. A setting that is not named gets its default.
#[derive(Debug, Default)]
pub(crate) struct AddOptions(pub(crate) Proposal);

/// The options of `client set`. A setting that is not named stays.
#[derive(Debug)]
pub(crate) struct SetOptions(pub(crate) Proposal);

/// Returns the settings that are options of a command, with the help of the option.
fn rows(help: fn(&CommandOption) -> Option<Help>) -> impl Iterator<Item = (&'static Row, CommandOption, Help)> {
    TABLE.iter().filter_map(move |row| {
        let option = row.option?;
        Some((row, option, help(&option)?))
    })
}

fn add_help(option: &CommandOption) -> Option<Help> {
    Some(option.add)
}

fn set_help(option: &CommandOption) -> Option<Help> {
    option.set
}

fn arg(row: &Row, option: CommandOption, (place, text): Help) -> Arg {
    let arg = Arg::new(option.flag).long(option.flag).value_name(option.value).help(text).display_order(place);
    match row.form {
        Form::Text => arg,
        Form::Document => arg.value_parser(document),
        Form::Texts => arg.action(ArgAction::Append),
        Form::Word(words) => arg.value_parser(among(words)),
        Form::Words(words) => arg.value_parser(among(words)).action(ArgAction::Append),
        Form::Grants => arg.value_parser(grant_type).action(ArgAction::Append),
        Form::Seconds => arg.value_parser(lifetime),
        Form::Flag => arg.value_parser(BoolishValueParser::new()),
    }
}

fn among(words: &'static [(&'static str, &'static str)]) -> PossibleValuesParser {
    PossibleValuesParser::new(words.iter().map(|(word, help)| PossibleValue::new(*word).help(*help)))
}

/// Parses a grant type.
fn grant_type(text: &str) -> Result<String, String> {
    GrantType::from_name(text).map(|grant| grant.as_str().to_owned()).ok_or_else(|| {
        let near = suggestion(text, GrantType::ALL.iter().map(|grant| grant.as_str()));
        format!("there is no such grant{near}")
    })
}

/// Reads the file of a JSON document. Without a name, the document is empty.
fn document(file: &str) -> Result<String, String> {
    if file.is_empty() {
        return Ok(String::new());
    }
    let size = std::fs::metadata(file).map_err(|error| plain(&error))?.len();
    if size > DOCUMENT_BYTES_MAX {
        return Err(format!("the file has {size} bytes, and at most {DOCUMENT_BYTES_MAX} are read"));
    }
    std::fs::read_to_string(file).map_err(|error| plain(&error))
}

/// Parses a lifetime. Returns seconds.
fn lifetime(text: &str) -> Result<u64, String> {
    let seconds = duration(text).filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| "a duration such as 90s, 10m, 2h or 30d".to_owned())
}

/// Returns the value of an option, if it was given.
fn typed(row: &Row, flag: &str, matches: &ArgMatches) -> Option<Given> {
    match row.form {
        Form::Text | Form::Document | Form::Word(_) => matches.get_one::<String>(flag).cloned().map(Given::Text),
        Form::Texts | Form::Words(_) | Form::Grants => {
            matches.get_many::<String>(flag).map(|texts| Given::Texts(texts.cloned().collect()))
        }
        Form::Seconds => matches.get_one::<u64>(flag).copied().map(Given::Seconds),
        Form::Flag => matches.get_one::<bool>(flag).copied().map(Given::Flag),
    }
}

fn proposal(help: fn(&CommandOption) -> Option<Help>, matches: &ArgMatches) -> Proposal {
    let mut proposal = Proposal::default();
    for (row, option, _) in rows(help) {
        if let Some(given) = typed(row, option.flag, matches) {
            proposal.set(row.setting, given);
        }
    }
    proposal
}

impl Args for AddOptions {
    fn augment_args(command: Command) -> Command {
        rows(add_help).fold(command, |command, (row, option, help)| {
            let arg = arg(row, option, help).required(row.setting == Setting::Name);
            // A flag of a new client can only be set.
            command.arg(if let Form::Flag = row.form { arg.action(ArgAction::SetTrue) } else { arg })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for AddOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(proposal(add_help, matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for SetOptions {
    fn augment_args(command: Command) -> Command {
        rows(set_help).fold(command, |command, (row, option, help)| command.arg(arg(row, option, help)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SetOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(proposal(set_help, matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
