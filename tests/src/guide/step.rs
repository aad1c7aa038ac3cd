//! The steps of a guide: what its comments say is done with its blocks.

use std::fmt::Write as _;

/// A part of a guide that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The line of the guide at which it begins.
    pub(super) line: usize,
    /// What to do.
    pub(super) what: What,
}

/// What a guide says to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
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

/// Reads a guide.
pub(super) fn steps(text: &str) -> Result<Vec<Step>, String> {
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
