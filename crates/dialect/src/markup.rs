//! Decides where a value may be inserted into HTML, SVG and XML: in text, and in attributes that no browser executes.
//! Markup that parsers may read differently is refused, because the template is checked once and then read by any
//! browser.

const OUTSIDE: &str = "in a tag, outside of quotes";

/// Attributes whose value a browser treats as plain text.
const HARMLESS: &[&str] = &[
    "abbr",
    "alt",
    "class",
    "datetime",
    "dir",
    "id",
    "label",
    "lang",
    "name",
    "placeholder",
    "role",
    "summary",
    "title",
    "value",
    "xml:lang",
];

/// Attributes that hold a URL which a browser loads or follows. A value may only continue such a URL.
const URLS: &[&str] = &["action", "background", "cite", "formaction", "href", "poster", "src", "xlink:href"];

/// Tags whose attributes execute, load or redirect, and tags that pass such a value to another tag.
const CLOSED: &[&str] = &[
    "animate",
    "animatecolor",
    "animatemotion",
    "animatetransform",
    "applet",
    "base",
    "embed",
    "fencedframe",
    "frame",
    "handler",
    "iframe",
    "link",
    "listener",
    "meta",
    "object",
    "param",
    "portal",
    "script",
    "set",
    "style",
    "use",
];

/// Elements whose content an HTML parser does not parse as markup, HTML Standard §13.2.6.
const RAW: &[&str] =
    &["iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp"];

/// XML namespaces whose elements browsers execute, even in a document of another media type.
const RUN: &[&str] = &["w3.org/1999/xhtml", "w3.org/2000/svg", "w3.org/1999/xsl", "w3.org/1998/math"];

/// The context at the end of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Context {
    Text,
    /// The content of a raw-text element, such as a title.
    RawText,
    Attribute,
}

/// A parsed tag.
struct Tag<'t> {
    name: &'t str,
    is_end: bool,
    has_slash: bool,
    /// The text after the tag.
    rest: &'t str,
}

struct Scan {
    is_html: bool,
    /// True if the text contains SVG or MathML, in which HTML parsers read scripts and styles as markup.
    is_foreign: bool,
}

/// Returns true if browsers execute elements of this XML text as they do in HTML.
pub(crate) fn is_run(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    RUN.iter().any(|namespace| text.contains(namespace))
}

/// Accepts a value in text, and in attributes that no browser executes or follows.
///
/// # Errors
/// A description of the context after `before`, if a value may not be inserted there.
pub(crate) fn check(before: &str, is_html: bool) -> Result<(), String> {
    let text = before.to_ascii_lowercase();
    let scan = Scan { is_html, is_foreign: text.contains("<svg") || text.contains("<math") };
    scan.place(&text).map(|_| ())
}

impl Scan {
    fn place(&self, text: &str) -> Result<Context, String> {
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            rest = &rest[at..];
            let next = rest[1..].chars().next().ok_or(OUTSIDE)?;
            if matches!(next, '!' | '?') {
                rest = self.behind_declaration(rest)?;
                continue;
            }
            if next.is_ascii_whitespace() || next.is_ascii_digit() || next == '=' {
                rest = &rest[1..];
                continue;
            }
            let begin = if next == '/' { rest[2..].chars().next().ok_or(OUTSIDE)? } else { next };
            let is_xml_name = |c: char| !self.is_html && (c == '_' || !c.is_ascii());
            if !begin.is_ascii_alphabetic() && !is_xml_name(begin) {
                return Err(format!("behind `<{next}`, which is no tag"));
            }
            let Some(tag) = self.tag(rest)? else { return Ok(Context::Attribute) };
            rest = tag.rest;
            let local = local(tag.name);
            let is_raw = if self.is_html { RAW.contains(&local) } else { matches!(local, "script" | "style") };
            if !is_raw || tag.is_end || (tag.has_slash && !self.is_html) {
                continue;
            }
            if tag.has_slash || tag.name != local {
                return Err(format!("behind <{}>, whose end depends on the browser", tag.name));
            }
            match self.behind_raw(local, rest)? {
                Some(after) => rest = after,
                None => return Ok(Context::RawText),
            }
        }
        Ok(Context::Text)
    }

    /// Parses the tag at the beginning of `text`. Returns `None` if `text` ends within an attribute value into which a
    /// value may be inserted.
    fn tag<'t>(&self, text: &'t str) -> Result<Option<Tag<'t>>, String> {
        let is_end = text.starts_with("</");
        let begin = if is_end { 2 } else { 1 };
        let name_end = text[begin..].find(|c: char| is_space(c) || matches!(c, '/' | '>')).ok_or(OUTSIDE)?;
        let (name, mut rest) = text[begin..].split_at(name_end);
        loop {
            rest = rest.trim_start_matches(|c: char| is_space(c) || c == '/');
            if let Some(after) = rest.strip_prefix('>') {
                let has_slash = text[..text.len() - rest.len()].ends_with('/');
                return Ok(Some(Tag { name, is_end, has_slash, rest: after }));
            }
            // HTML Standard §13.2.5.32: a `=` that begins the name of an attribute is part of it.
            let is_end_of_name = |at: usize, c: char| is_space(c) || matches!(c, '/' | '>') || (c == '=' && at > 0);
            let end = rest.char_indices().find(|(at, c)| is_end_of_name(*at, *c)).ok_or(OUTSIDE)?.0;
            let (attribute, after) = rest.split_at(end);
            rest = after.trim_start_matches(is_space);
            let Some(value) = rest.strip_prefix('=') else { continue };
            let value = value.trim_start_matches(is_space);
            let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
                let end = value.find(|c: char| is_space(c) || c == '>').ok_or(OUTSIDE)?;
                rest = &value[end..];
                continue;
            };
            match value[1..].find(quote) {
                Some(end) => rest = &value[end + 2..],
                None if is_end => return Err(OUTSIDE.to_owned()),
                None => return self.check_attribute(name, attribute, &value[1..]).map(|()| None),
            }
        }
    }

    /// Accepts a value that continues the text `before` of an attribute.
    fn check_attribute(&self, tag: &str, attribute: &str, before: &str) -> Result<(), String> {
        let tag = local(tag);
        if matches!(tag, "script" | "style") || (self.is_html && CLOSED.contains(&tag)) {
            return Err(format!("in the tag <{tag}>"));
        }
        let is_named = ["data-", "aria-"].iter().any(|begin| attribute.starts_with(begin));
        let is_harmless = HARMLESS.contains(&attribute) || is_named;
        let is_accepted = is_harmless || !self.is_html || (URLS.contains(&attribute) && is_begun(before));
        if !is_accepted || attribute.starts_with("xmlns") {
            return Err(format!("in the attribute `{attribute}`"));
        }
        Ok(())
    }

    /// The text after the comment, CDATA section, document type or processing instruction with which `text` begins.
    ///
    /// # Errors
    /// A construct that is not closed, or whose end depends on the browser.
    fn behind_declaration<'t>(&self, text: &'t str) -> Result<&'t str, String> {
        let kinds = [("<!--", "-->"), ("<![cdata[", "]]>"), ("<!", ">"), ("<?", "?>")];
        let (begin, end) = kinds.into_iter().find(|(begin, _)| text.starts_with(begin)).unwrap_or(("<!", ">"));
        let content = &text[begin.len()..];
        let told = || format!("behind `{}`", begin.to_ascii_uppercase());
        let at = content.find(end).ok_or_else(told)?;
        let inner = &content[..at];
        let is_even = |quote| inner.matches(quote).count() % 2 == 0;
        // HTML ends some of these constructs earlier than XML does.
        let is_clear = match begin {
            "<!--" => !inner.starts_with('>') && !inner.starts_with("->") && !inner.contains("--!>"),
            "<![cdata[" => !self.is_html || !inner.contains('>'),
            "<?" => !inner.contains('>'),
            _ => !inner.contains('[') && is_even('"') && is_even('\''),
        };
        if is_clear {
            Ok(&content[at + end.len()..])
        } else {
            Err(format!("{}, whose end depends on the browser", told()))
        }
    }

    /// Returns the text from the end tag of a raw-text element on. Returns `None` if `text` ends within content that is
    /// plain text.
    fn behind_raw<'t>(&self, tag: &str, text: &'t str) -> Result<Option<&'t str>, String> {
        let is_text = matches!(tag, "textarea" | "title");
        let close = format!("</{tag}");
        let is_close =
            |at: usize| text[at + close.len()..].starts_with(|c: char| is_space(c) || matches!(c, '/' | '>'));
        let closes = text.match_indices(&close).map(|(at, _)| at).find(|at| is_close(*at));
        let Some(at) = closes.filter(|_| tag != "plaintext") else {
            return if is_text && !text.contains('<') { Ok(None) } else { Err(format!("inside of <{tag}>")) };
        };
        let content = &text[..at];
        let is_clear = match tag {
            "script" => {
                let is_cdata_closed = content.rfind("<![cdata[").is_none_or(|at| content[at..].contains("]]>"));
                let is_markup = self.is_foreign && content.contains('<');
                is_cdata_closed && !is_markup && !content.contains("<!--") && !content.contains("<?")
            }
            "style" => !content.contains('<'),
            // Content that a parser may read as markup must also end outside of a tag.
            _ => self.place(content) == Ok(Context::Text),
        };
        if is_clear { Ok(Some(&text[at..])) } else { Err(format!("behind <{tag}>, whose end depends on the browser")) }
    }
}

/// Returns true for white space within a tag, HTML Standard §13.2.5.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// Returns the name of a tag without its namespace prefix.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Returns true if a value after `before` can no longer choose the scheme and host of the URL. Browsers treat `\` as
/// `/` and ignore line breaks and tabs, so the check allows only certain characters after the first slash.
fn is_begun(before: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~?#".contains(c);
    if let Some(path) = before.strip_prefix('/') {
        return path.starts_with(plain);
    }
    let rest = before.strip_prefix("https://").or_else(|| before.strip_prefix("http://"));
    rest.and_then(|rest| rest.split_once('/')).is_some_and(|(host, _)| {
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts after which a value could be executed, followed or read as markup. The flag is true for HTML.
    const REFUSED: &[(bool, &str)] = &[
        (true, "<p/onclick='f(\""),
        (true, "<p/onclick=\""),
        (true, "<p x=\"1\"onclick=\""),
        (true, "<p x='1'onclick='"),
        (true, "<p x=1 onclick\n=\n'"),
        (true, "<p \"onclick='"),
        (true, "<p OnClick='"),
        (true, "<a/href=\""),
        (true, "<a x=\"\"href='"),
        (true, "<a href=\"https://"),
        (true, "<a href=\"https://x.example"),
        (true, "<a href=\"javascript://x.example/"),
        (true, "<a href=\"/"),
        (true, "<a href=\"//"),
        (true, "<a href=\"/\\"),
        (true, "<a href=\"/\t"),
        (true, "<a href=\"/&#47;"),
        (true, "<a href=/x/"),
        (true, "<form action='"),
        (true, "<button formaction='"),
        (true, "<img src='"),
        (true, "<img srcset='/x/"),
        (true, "<a ping='/x/"),
        (true, "<html manifest='/x/"),
        (true, "<p style='"),
        (true, "<iframe srcdoc='"),
        (true, "<iframe src='https://x.example/"),
        (true, "<script src='https://x.example/"),
        (true, "<embed src='/x/"),
        (true, "<frame src='/x/"),
        (true, "<object data='/x/"),
        (true, "<applet code='/x/"),
        (true, "<base href='https://x.example/"),
        (true, "<link href='https://x.example/"),
        (true, "<meta http-equiv=refresh content='0;url="),
        (true, "<svg><set attributeName=href to='"),
        (true, "<svg><animate values='"),
        (true, "<p unknown='"),
        (true, "</p title='"),
        (true, "<p "),
        (true, "<p title"),
        (true, "<p title="),
        (true, "<p title=x"),
        (true, "<"),
        (true, "</"),
        (true, "<script>"),
        (true, "<script><!--<script></script>"),
        (true, "<script/>"),
        (true, "<script></scripty>"),
        (true, "<h:script>"),
        (true, "<style>"),
        (true, "<style>a</style"),
        (true, "<noscript>"),
        (true, "<xmp>"),
        (true, "<plaintext></plaintext>"),
        (true, "<textarea><b>"),
        (true, "<textarea><p title=\"</textarea>"),
        (true, "<noscript><p title='</noscript>"),
        (true, "<noscript><textarea></noscript></textarea>"),
        (true, "<p title=\"a\"=\""),
        (true, "<p title=x\"y onclick=\""),
        (true, "<svg><style><p title='</style>"),
        (true, "<!-- "),
        (true, "<!--> -->"),
        (true, "<!-- --!> <script> -->"),
        (true, "<![CDATA[ > ]]>"),
        (true, "<? > ?>"),
        (true, "<!DOCTYPE html [<!ENTITY a \">\">"),
        (false, "<a>\n<!-- "),
        (false, "<a><![CDATA["),
        (false, "<?x "),
        (false, "<script>"),
        (false, "<script x='"),
        (false, "<STYLE>"),
        (false, "<h:script xmlns:h=\"urn:x\">"),
        (false, "<a xmlns='"),
    ];

    const ACCEPTED: &[(bool, &str)] = &[
        (true, ""),
        (true, "a < b, 1 <2"),
        (true, "<!DOCTYPE html><html lang=en><head><title>Hello "),
        (true, "<title>x</title><p>"),
        (true, "<p class=\"a\" title='"),
        (true, "<p data-x=\""),
        (true, "<p aria-label=\""),
        (true, "<input type=hidden name=x value=\""),
        (true, "<a href=\"/u/"),
        (true, "<a href='/?u="),
        (true, "<a HREF = 'HTTPS://x.example:8080/"),
        (true, "<img alt=x src='https://x.example/u/"),
        (true, "<form action=\"/x"),
        (true, "<script>if (a<b) f('</p>')</script><p>"),
        (true, "<script>//<![CDATA[\n f() //]]></script><p>"),
        (true, "<style>p{}</style><p>"),
        (true, "<noscript><p title=\"x\">No</p></noscript>"),
        (true, "<textarea>"),
        (true, "<!-- <p title=' --><p>"),
        (true, "<br/><p>"),
        (false, "<?xml version=\"1.0\"?><user:a id='"),
        (false, "<title><b>"),
        (false, "<é>"),
        (false, "<a><![CDATA[ <b> ]]><c>"),
        (false, "<e xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><a on='"),
    ];

    #[test]
    fn xml_that_browsers_run_is_known_by_its_namespace() {
        assert!(is_run("<a b='' xmlns='http://www.w3.org/1999/xhtml'/>"));
        assert!(is_run("<svg xmlns=\"http://www.w3.org/2000/SVG\"/>"));
        assert!(!is_run("<e xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"/>"));
    }

    #[test]
    fn a_value_stands_only_where_it_is_text_to_every_browser() {
        for (is_html, before) in REFUSED {
            assert!(check(before, *is_html).is_err(), "{is_html} {before}");
        }
        for (is_html, before) in ACCEPTED {
            assert_eq!(check(before, *is_html), Ok(()), "{is_html} {before}");
        }
    }
}
