//! Loads replies and errors: compiles their templates, and checks that every reply that is needed exists.

use protocol::refusal::ErrorKind;
use protocol::wire::ReplyKind;

use super::checks::{check_owned, is_token_byte, one_of};
use crate::escape::Language;
use crate::file::{File, ReplyTable};
use crate::problem::suggestion;
use crate::reader::{Reader, Text};
use crate::rules::{ANSWERS, Delivery, Dialect, ErrorRules, ReplyRules, Shape};
use crate::template::{Json, Pairs, Text as TextTemplate};

pub(super) fn replies(file: &File, reader: &mut Reader<'_>) -> Vec<ReplyRules> {
    file.replies.iter().map(|(name, table)| reply(name, table, reader)).collect()
}

fn reply(name: &Text, table: &ReplyTable, reader: &mut Reader<'_>) -> ReplyRules {
    let mut headers = Vec::new();
    for (header, value) in &table.headers {
        if header.value.is_empty() || !header.value.bytes().all(is_token_byte) {
            reader.note(header.spot, format!("`{}` is not the name of a header", header.value));
        }
        check_owned(header, reader);
        // RFC 9110 §5.5: visible characters, spaces and tabs. `encode` leaves out a header with anything else.
        if !value.value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
            let text = format!(
                "the header `{}` can only have visible ASCII characters, spaces and tabs: {:?}",
                header.value, value.value
            );
            reader.note(value.spot, text);
        }
        match TextTemplate::compile(&value.value, Some(Language::Plain)) {
            Ok(template) => headers.push((header.value.clone(), template)),
            Err(told) => reader.note(value.spot, told),
        }
    }
    let status = table.status.as_ref().and_then(|status| self::status(status, reader));
    let shape = shape(name, table, reader).unwrap_or(Shape::Empty);
    if let (Some(own), Shape::Json(_) | Shape::Form(_) | Shape::Text(..)) = (&table.status, &shape) {
        check_bodiless(own, &name.value, reader);
    }
    ReplyRules { name: name.value.clone(), status, shape, headers }
}

/// Reports a reply that has a body and a status that allows none: RFC 9110 §15.3.5, §15.3.6, §15.4.5.
fn check_bodiless(status: &crate::reader::Located<i64>, name: &str, reader: &mut Reader<'_>) {
    if matches!(status.value, 204 | 205 | 304) {
        let text = format!(
            "an answer with the status {} has no body, and `reply.{name}` has one: choose another status, or \
             `as = \"empty\"`",
            status.value
        );
        reader.note(status.spot, text);
    }
}

fn status(status: &crate::reader::Located<i64>, reader: &mut Reader<'_>) -> Option<u16> {
    let found = u16::try_from(status.value).ok().filter(|status| (200..600).contains(status));
    if found.is_none() {
        reader.note(status.spot, format!("{} is not an HTTP status", status.value));
    }
    found
}

fn shape(name: &Text, table: &ReplyTable, reader: &mut Reader<'_>) -> Option<Shape> {
    let Some(word) = &table.shape else {
        reader.note(name.spot, format!("`reply.{}` has no `as`", name.value));
        return None;
    };
    if word.value == "empty" {
        return Some(Shape::Empty);
    }
    let Some(body) = &table.body else {
        reader.note(name.spot, format!("`reply.{}` has no `body`", name.value));
        return None;
    };
    let pairs = |delivery| Pairs::compile(&body.value).map(|pairs| Shape::Redirect(delivery, pairs));
    let compiled = match word.value.as_str() {
        "json" => Json::compile(&body.value).map(Shape::Json),
        "form" => Pairs::compile(&body.value).map(Shape::Form),
        "redirect" => pairs(Delivery::Same),
        "redirect:query" => pairs(Delivery::Query),
        "redirect:fragment" => pairs(Delivery::Fragment),
        "form_post" => pairs(Delivery::FormPost),
        media_type if media_type.contains('/') && media_type.bytes().all(|b| (b' '..0x7f).contains(&b)) => {
            let told = |told| {
                format!(
                    "{told} (`{media_type}`). Use json, form, or a media type of plain text, XML, HTML, JSON or JavaScript"
                )
            };
            let language = Language::of(media_type);
            let text = TextTemplate::compile(&body.value, language).map_err(told);
            let is_json = language == Some(Language::Json);
            let checked = text.and_then(|text| if is_json { text.check_json().map(|()| text) } else { Ok(text) });
            checked.map(|text| Shape::Text(media_type.to_owned(), text))
        }
        _ => {
            let words = ["json", "form", "redirect", "redirect:query", "redirect:fragment", "form_post", "empty"];
            one_of("shape", word, &words, reader);
            return None;
        }
    };
    compiled.map_err(|told| reader.note(body.spot, told)).ok()
}

/// Returns the index of the reply with this name. Reports a name that no reply has.
pub(super) fn find(name: &Text, replies: &[ReplyRules], reader: &mut Reader<'_>) -> Option<usize> {
    let found = replies.iter().position(|reply| reply.name == name.value);
    if found.is_none() {
        let near = suggestion(&name.value, replies.iter().map(|reply| reply.name.as_str()));
        reader.note(name.spot, format!("there is no `[reply.{}]`{near}", name.value));
    }
    found
}

pub(super) fn by_kind(replies: &[ReplyRules]) -> Vec<Option<usize>> {
    ReplyKind::ALL.iter().map(|kind| replies.iter().position(|reply| reply.name == kind.as_str())).collect()
}

pub(super) fn errors(file: &File, replies: &[ReplyRules], reader: &mut Reader<'_>) -> Vec<ErrorRules> {
    let names: Vec<&str> = ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
    for (name, _) in &file.errors {
        one_of("kind of error", name, &names, reader);
    }
    let usual = replies.iter().position(|reply| reply.name == "error").unwrap_or_default();
    let mut errors = Vec::new();
    for kind in ErrorKind::ALL {
        let spelled = |kind: ErrorKind| file.errors.iter().find(|(name, _)| name.value == kind.as_str());
        // A surface without a word of its own for an unknown client uses its word for a malformed request.
        let is_like_another = *kind == ErrorKind::UnknownClient && spelled(*kind).is_none();
        let kind = if is_like_another { &ErrorKind::InvalidRequest } else { kind };
        let own = spelled(*kind).map(|(_, table)| table);
        let status = own.and_then(|table| table.status.as_ref()).and_then(|status| self::status(status, reader));
        let Some(status) = status else {
            let known = file.errors.iter().find(|(name, _)| name.value == kind.as_str());
            let spot = known.map_or(file.spot, |(name, _)| name.spot);
            reader.note(spot, format!("`error.{kind}` has no `status`"));
            continue;
        };
        let word = own.and_then(|table| table.word.as_ref());
        let text = own.and_then(|table| table.text.as_ref());
        let reply = own.and_then(|table| table.reply.as_ref()).and_then(|reply| find(reply, replies, reader));
        let rules = replies.get(reply.unwrap_or(usual)).filter(|rules| !matches!(rules.shape, Shape::Empty));
        if let (Some(rules), Some(status)) = (rules, own.and_then(|table| table.status.as_ref())) {
            check_bodiless(status, &rules.name, reader);
        }
        errors.push(ErrorRules {
            status,
            word: word.map_or_else(|| kind.as_str().to_owned(), |word| constant(word, reader)),
            text: text.map(|text| constant(text, reader)),
            reply: reply.unwrap_or(usual),
        });
    }
    errors
}

/// Reads a text that may not contain names.
fn constant(text: &Text, reader: &mut Reader<'_>) -> String {
    crate::template::constant(&text.value).unwrap_or_else(|told| {
        reader.note(text.spot, told);
        String::new()
    })
}

/// Returns the names of all replies that a dialect can give.
fn needed(dialect: &Dialect) -> Vec<&str> {
    let mut names = vec!["error"];
    for address in &dialect.addresses {
        names.extend(address.endpoint.row().replies);
        names.extend(address.reply.map(|at| dialect.replies[at].name.as_str()));
    }
    for grant in &dialect.grants {
        names.extend(ANSWERS.iter().filter(|(own, _)| own == grant).map(|(_, kind)| kind.as_str()));
        names.extend(dialect.words_of(*grant).and_then(|own| own.reply).map(|at| dialect.replies[at].name.as_str()));
    }
    names.extend(dialect.errors.iter().map(|error| dialect.replies[error.reply].name.as_str()));
    names
}

/// Reports replies of the wrong shape: a redirect as an answer to a program, or a body as an answer that a browser
/// takes to the application.
pub(super) fn check_needed(dialect: &Dialect, file: &File, reader: &mut Reader<'_>) {
    for name in needed(dialect) {
        let Some((spot, _)) = file.reply(name) else {
            reader.note(file.spot, format!("there is no `[reply.{name}]`"));
            continue;
        };
        let is_redirect =
            dialect.replies.iter().any(|reply| reply.name == name && matches!(reply.shape, Shape::Redirect(..)));
        if is_redirect != matches!(name, "code" | "implicit" | "denied") {
            let told = if is_redirect {
                "answers a program and cannot redirect"
            } else {
                "goes through a browser and must redirect"
            };
            reader.note(spot.spot, format!("`reply.{name}` {told}"));
        }
    }
}

/// Reports replies in the dialect's own file that are never used.
pub(super) fn check_reached(dialect: &Dialect, file: &File, reader: &mut Reader<'_>) {
    let mut needed = needed(dialect);
    // An operator who disables a grant leaves its reply unused. Replies that the core asks for by kind are therefore
    // never reported.
    needed.extend(ReplyKind::ALL.iter().map(|kind| kind.as_str()));
    needed.extend(dialect.words.iter().filter_map(|own| own.reply).map(|at| dialect.replies[at].name.as_str()));
    for (name, _) in &file.replies {
        if name.spot.layer > 0 && !needed.contains(&name.value.as_str()) {
            reader.note(
                name.spot,
                format!("nothing leads to `reply.{}`: no endpoint, grant or error names it", name.value),
            );
        }
    }
}
