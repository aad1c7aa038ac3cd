//! The file: a world, and exchanges.

use super::World;

/// A transcript.
#[derive(Debug)]
pub struct Story {
    /// `@client`, `@user`, `@personal`, `@identity` and `@config`, with their lines.
    pub world: Vec<(usize, String)>,
    exchanges: Vec<Exchange>,
}

/// A request and its answer.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) steps: Vec<(usize, String)>,
    pub(super) request: Message,
    pub(super) answer: Message,
}

/// A first line, headers and a body, and where it stands.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) line: usize,
    pub(super) first: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

fn is_answer(line: &str) -> bool {
    line.starts_with("HTTP/1.1 ")
}

impl Story {
    /// Reads a transcript.
    ///
    /// # Errors
    /// The line that fits nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines: Vec<(usize, &str)> = text.lines().enumerate().map(|(at, line)| (at + 1, line)).collect();
        let mut parts = lines.split(|(_, line)| line.starts_with("### "));
        let world = notes(parts.next().unwrap_or_default())?;
        let exchanges: Vec<Exchange> = parts.map(exchange).collect::<Result<_, _>>()?;
        if exchanges.is_empty() { Err("1: there is no exchange".to_owned()) } else { Ok(Self { world, exchanges }) }
    }

    /// Tells it to its end, also where an answer is another one than was written.
    ///
    /// # Errors
    /// The lines at which the server did otherwise.
    pub async fn tell(&self, world: &mut World) -> Result<(), String> {
        let mut problems = Vec::new();
        for exchange in &self.exchanges {
            problems.extend(world.exchange(exchange).await.err());
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    }
}

/// The lines with an `@`; nothing else may stand here but comments.
fn notes(lines: &[(usize, &str)]) -> Result<Vec<(usize, String)>, String> {
    let mut notes = Vec::new();
    for (at, line) in lines {
        match line.strip_prefix('#') {
            Some(rest) if rest.trim_start().starts_with('@') => notes.push((*at, rest.trim_start()[1..].to_owned())),
            Some(_) => {}
            None if line.trim().is_empty() => {}
            None => return Err(format!("{at}: this line fits nothing")),
        }
    }
    Ok(notes)
}

fn exchange(lines: &[(usize, &str)]) -> Result<Exchange, String> {
    let at = lines.first().map_or(0, |(at, _)| *at);
    let begin = lines.iter().position(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let begin = begin.ok_or_else(|| format!("{at}: there is no request"))?;
    let (line, first) = lines[begin];
    if !first.ends_with(" HTTP/1.1") {
        return Err(format!("{line}: this line fits nothing"));
    }
    let answer =
        lines.iter().position(|(_, line)| is_answer(line)).ok_or_else(|| format!("{line}: there is no answer"))?;
    Ok(Exchange {
        steps: notes(&lines[..begin])?,
        request: message(&lines[begin..answer])?,
        answer: message(&lines[answer..])?,
    })
}

fn message(lines: &[(usize, &str)]) -> Result<Message, String> {
    let (line, first) = lines[0];
    let end = lines.iter().position(|(_, line)| line.is_empty()).unwrap_or(lines.len());
    let headers = lines[1..end].iter().map(|(at, line)| {
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("{at}: this is no header"))?;
        Ok((name.to_owned(), value.to_owned()))
    });
    let headers = headers.collect::<Result<Vec<_>, String>>()?;
    let mut body = String::new();
    for (_, line) in &lines[end..] {
        // A form may be written on several lines; the blank lines around a body are not part of it.
        if !body.is_empty() && !line.starts_with('&') {
            body.push('\n');
        }
        body.push_str(line);
    }
    let body = body.trim_end_matches('\n').to_owned();
    Ok(Message { line, first: first.to_owned(), headers, body })
}
