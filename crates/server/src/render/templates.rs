//! The templates of the pages. The operator may replace any of them. The shipped template is used for the others, and
//! when a replacement fails.

use std::fmt::Write;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};

pub use super::assets::Asset;
use super::assets::{Assets, Paths};
use super::page::{Filled, Page, Row};
use crate::config::settings::{Brand, Support};

/// Templates that pages include.
const FRAMES: &[(&str, &str)] = &[
    ("layout.html", include_str!("../templates/layout.html")),
    ("account_layout.html", include_str!("../templates/account_layout.html")),
    ("parts.html", include_str!("../templates/parts.html")),
];

/// The templates of all pages, with the provider's name, logo and support contact.
pub struct Templates {
    shipped: Environment<'static>,
    own: Option<Environment<'static>>,
    tables: &'static [&'static [Row]],
    assets: Assets,
    face: Face,
}

/// The values about the provider that every page shows.
#[derive(Debug, serde::Serialize)]
struct Face {
    name: String,
    support: Option<Support>,
    links: Vec<Support>,
    is_name_shown: bool,
    base: String,
    #[serde(flatten)]
    paths: Paths,
}

impl Templates {
    /// The shipped templates of these tables of pages, for a brand. `base` is the path of the issuer: empty, or such as
    /// `/auth`.
    #[must_use]
    pub(crate) fn new(brand: &Brand, base: &str, tables: &'static [&'static [Row]]) -> Self {
        let mut shipped = environment();
        for (file, source) in
            FRAMES.iter().copied().chain(tables.iter().copied().flatten().map(|row| (row.file, row.source)))
        {
            shipped.add_template(file, source).expect("the shipped templates are well formed; a test renders them all");
        }
        let assets = Assets::new(brand, base);
        let face = Face {
            name: brand.name.clone(),
            support: brand.support.clone(),
            links: brand.links.clone(),
            is_name_shown: brand.is_name_shown,
            base: base.to_owned(),
            paths: assets.paths.clone(),
        };
        Self { shipped, own: None, assets, face, tables }
    }

    /// Replaces templates by the operator's, given as file names and texts. Renders every page with its samples as a
    /// test.
    ///
    /// # Errors
    /// Those of [`Templates::adopt`], and a sentence for each sample that cannot be rendered.
    pub fn replace(&mut self, templates: Vec<(String, String)>) -> Result<(), Vec<String>> {
        self.adopt(templates)?;
        let Some(own) = &self.own else { return Ok(()) };
        let mut problems = Vec::new();
        for row in self.tables.iter().copied().flatten() {
            for (name, filled) in (row.samples)() {
                if let Err(error) = self.fill(own, row.file, &filled) {
                    problems.push(format!("{} (tried with the sample {name})", sentence(row.file, &error)));
                }
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        self.own = None;
        Err(problems)
    }

    /// Replaces templates without testing them, because a test takes time. Use it for templates that were tested when
    /// the configuration was read.
    ///
    /// # Errors
    /// A sentence for each fault, for the operator: unknown file names, and templates that cannot be parsed.
    pub fn adopt(&mut self, templates: Vec<(String, String)>) -> Result<(), Vec<String>> {
        let mut own = self.shipped.clone();
        let mut problems = Vec::new();
        for (file, source) in templates {
            if own.get_template(&file).is_err() {
                let known: Vec<&str> = FRAMES
                    .iter()
                    .map(|(file, _)| *file)
                    .chain(self.tables.iter().copied().flatten().map(|row| row.file))
                    .collect();
                problems.push(format!("{file} is the name of no template; there are {}", known.join(", ")));
            } else if let Err(error) = own.add_template_owned(file.clone(), source) {
                problems.push(sentence(&file, &error));
            }
        }
        if problems.is_empty() {
            self.own = Some(own);
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// Returns the static file at this path.
    #[must_use]
    pub fn asset(&self, path: &str) -> Option<&Asset> {
        self.assets.at(path)
    }

    /// Returns the paths of all static files.
    #[cfg(test)]
    pub(crate) fn asset_paths(&self) -> Vec<String> {
        self.assets.all_paths()
    }

    /// Fills the template of a page.
    pub(crate) fn render<P: Page>(&self, page: &P) -> String {
        self.render_filled(P::FILE, &Filled::new(page))
    }

    pub(crate) fn render_filled(&self, file: &str, filled: &Filled) -> String {
        let own = self.own.as_ref().and_then(|own| {
            let made = self.fill(own, file, filled);
            made.inspect_err(|error| tracing::error!(template = file, %error, "a template of the operator's failed"))
                .ok()
        });
        own.unwrap_or_else(|| {
            self.fill(&self.shipped, file, filled).expect("the shipped templates take what their pages give them")
        })
    }

    fn fill(&self, environment: &Environment<'_>, file: &str, filled: &Filled) -> Result<String, minijinja::Error> {
        environment.get_template(file)?.render(context! {
            brand => Serde(&self.face),
            page => &filled.page,
            problem => Serde(&filled.problem),
        })
    }
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pages of {}", self.face.name)
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // A misspelt variable is an error and not an empty text.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() && *state.auto_escape() == AutoEscape::Html => Ok(escape(out, text)?),
        _ => minijinja::escape_formatter(out, state, value),
    });
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
    environment
}

/// Escapes the characters that end text or an attribute in HTML. Unlike minijinja's own formatter it leaves slashes, so
/// that addresses stay legible.
fn escape(out: &mut impl Write, text: &str) -> std::fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        out.write_str(&rest[..at])?;
        out.write_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        })?;
        rest = &rest[at + 1..];
    }
    out.write_str(rest)
}

fn sentence(file: &str, error: &minijinja::Error) -> String {
    let place = error.line().map_or_else(|| file.to_owned(), |line| format!("{}:{line}", error.name().unwrap_or(file)));
    format!("{place}: {}", error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_ends_text_or_an_attribute_is_escaped() {
        let mut out = String::new();
        escape(&mut out, "a/b?c&d <é> \"e\" 'f'").unwrap();
        assert_eq!(out, "a/b?c&amp;d &lt;é&gt; &quot;e&quot; &#39;f&#39;");
    }
}
