//! Documents: their links lead somewhere, no page refers to an issue of a tracker, and the sentences of the guides are short.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{File, root};

/// The guides, whose readers are users.
const GUIDES: &str = "docs/guide/";
/// Words that a sentence of a guide has on average, at most.
const WORDS_AVERAGE_MAX: usize = 20;

pub(super) fn check(files: &[File]) -> Vec<String> {
    let pages: Vec<&File> = files.iter().filter(|file| file.path.ends_with(".md")).collect();
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let anchors: BTreeMap<&str, BTreeSet<String>> =
        pages.iter().map(|file| (file.path.as_str(), anchors(&file.text))).collect();
    let mut complaints = Vec::new();
    for page in pages {
        for (line, link) in links(&page.text) {
            if let Some(why) = dead(&page.path, link, &paths, &anchors) {
                complaints.push(format!("{}:{line}: the link {link} {why}", page.path));
            }
        }
        for (at, line) in page.text.lines().enumerate() {
            if names_an_issue(line) {
                complaints.push(format!("{}:{}: refers to an issue, which readers cannot see", page.path, at + 1));
            }
        }
        if page.path.starts_with(GUIDES) {
            let (words, sentences) = measured(&page.text);
            if words >= WORDS_AVERAGE_MAX * sentences.max(1) {
                let average = words / sentences.max(1);
                complaints
                    .push(format!("{}: a sentence has {average} words on average; write shorter ones", page.path));
            }
        }
    }
    complaints
}

/// The lines of a text that are not in a code block, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        (!is_code && !is_fence).then_some((at + 1, line))
    })
}

/// The targets of inline links, with their lines.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    prose(text)
        .flat_map(|(at, line)| line.split("](").skip(1).filter_map(move |rest| Some((at, rest.split_once(')')?.0))))
}

/// Why a link leads nowhere. Links to other servers are not followed.
fn dead(page: &str, link: &str, paths: &BTreeSet<&str>, anchors: &BTreeMap<&str, BTreeSet<String>>) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() { page.to_owned() } else { joined(page, path) };
    let folder = format!("{}/", target.trim_end_matches('/'));
    if !paths.contains(target.as_str()) {
        let is_folder = target.is_empty() || paths.iter().any(|own| own.starts_with(&folder));
        // Pictures are no texts, and so not among the files.
        let is_picture = target.ends_with(".png") && root().join(&target).exists();
        return (!is_folder && !is_picture).then(|| "leads to no file".to_owned());
    }
    let is_found = anchor.is_empty() || anchors.get(target.as_str()).is_none_or(|own| own.contains(anchor));
    (!is_found).then(|| format!("names no heading of {target}"))
}

/// The path of a link, from the root of the repository.
fn joined(page: &str, path: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The anchors of the headings, as the usual viewers of Markdown make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then_some(title.strip_prefix(' ')?)
    });
    headings.map(anchor).collect()
}

fn anchor(title: &str) -> String {
    let kept = title.trim().chars().filter(|own| own.is_alphanumeric() || " -_".contains(*own));
    kept.flat_map(char::to_lowercase).map(|own| if own == ' ' { '-' } else { own }).collect()
}

/// True if a line refers to an issue by its number.
fn names_an_issue(line: &str) -> bool {
    let lower = line.to_lowercase();
    let of_word = lower.match_indices("issue").any(|(at, word)| {
        let rest = lower[at + word.len()..].trim_start_matches('s').trim_start_matches([' ', '#', '/']);
        rest.starts_with(|own: char| own.is_ascii_digit()) && !rest.starts_with("1.")
    });
    of_word || lower.contains("/issues/")
}

/// The words and the sentences of the paragraphs and lists of a page. Tables, headings and comments are left out.
fn measured(text: &str) -> (usize, usize) {
    let mut paragraphs: Vec<String> = vec![String::new()];
    let mut is_comment = false;
    for (_, line) in prose(text) {
        let own = line.trim();
        is_comment |= own.starts_with("<!--");
        let is_left_out = is_comment || own.is_empty() || own.starts_with(['|', '#']);
        is_comment &= !own.ends_with("-->");
        if is_left_out {
            paragraphs.push(String::new());
            continue;
        }
        let is_item = own.starts_with("- ") || own.split_once(". ").is_some_and(|(at, _)| at.parse::<u8>().is_ok());
        if is_item {
            paragraphs.push(String::new());
        }
        if let Some(paragraph) = paragraphs.last_mut() {
            paragraph.push_str(own);
            paragraph.push(' ');
        }
    }
    let (mut words, mut sentences) = (0, 0);
    for paragraph in paragraphs {
        // A sentence ends with its mark and a space: `grantry.toml` and 2.0 do not end one.
        for sentence in paragraph
            .split_inclusive([' ', '\n'])
            .collect::<Vec<_>>()
            .split_inclusive(|word| word.trim_end().trim_end_matches(['*', ')', '`']).ends_with(['.', '?', '!', ':']))
        {
            let count = sentence.iter().filter(|word| word.contains(char::is_alphanumeric)).count();
            words += count;
            sentences += usize::from(count > 0);
        }
    }
    (words, sentences)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(files: &[(&str, &str)]) -> Vec<String> {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        check(&files.iter().map(file).collect::<Vec<_>>())
    }

    #[test]
    fn a_link_leads_to_a_file_and_a_heading() {
        let other = ("docs/b.md", "# How it is: `x`, 2.0?\n");
        for link in ["b.md", "./b.md#how-it-is-x-20", "../docs/b.md", "#own", "https://a.example/x", "../docs"] {
            let page = format!("# Own\n\n[x]({link})\n");
            assert_eq!(complaints(&[("docs/a.md", &page), other]), Vec::<String>::new(), "{link}");
        }
        for link in ["c.md", "b.md#nothing", "../b.md", "#nothing"] {
            let page = format!("# Own\n\n[x]({link})\n");
            assert_eq!(complaints(&[("docs/a.md", &page), other]).len(), 1, "{link}");
        }
        assert!(complaints(&[("docs/a.md", "```sh\n[x](nowhere)\n```\n")]).is_empty(), "code has no links");
    }

    #[test]
    fn a_page_refers_to_no_issue() {
        for line in ["see issue 4", "Issue #12", "https://x.example/issues/7", "issues 3 and 4"] {
            assert_eq!(complaints(&[("docs/a.md", line)]).len(), 1, "{line}");
        }
        for line in ["issue a token", "We issue 1.5 tokens", "Do not open a public issue."] {
            assert!(complaints(&[("docs/a.md", line)]).is_empty(), "{line}");
        }
    }

    #[test]
    fn sentences_of_guides_are_short_on_average() {
        let long = format!("{}.\n", vec!["word"; 25].join(" "));
        assert_eq!(complaints(&[("docs/guide/a.md", &long)]).len(), 1);
        assert!(complaints(&[("docs/guide/a.md", &format!("{long}\nShort. Short.\n"))]).is_empty());
        assert!(complaints(&[("docs/decisions/a.md", &long)]).is_empty(), "the rule is for guides");
    }

    #[test]
    fn a_sentence_does_not_end_within_a_name() {
        assert_eq!(measured("Edit `grantry.toml` (RFC 7662 §2.1). Then go on.\n"), (8, 2));
        assert_eq!(measured("<!-- test: hidden\na b c\n-->\n| a | b |\n# A b\n- one two\n- three\n"), (3, 2));
    }
}
