//! The face of whoever runs the server: a name, a logo, an accent colour, a way to get help.

use super::colour::{Colour, Shades};

// The surfaces of `style.css`; what is readable on them is computed here.
const LIGHT_GROUNDS: [&str; 2] = ["#ffffff", "#f4f5f7"];
const DARK_GROUNDS: [&str; 3] = ["#191d23", "#101317", "#12161b"];
const DEFAULT_LOGO: &str = include_str!("../assets/logo.svg");

/// What people see of the provider on every page.
#[derive(Clone, Debug)]
pub struct Brand {
    /// The name on every page.
    pub name: String,
    /// The logo; without one, a drawing in the accent colour.
    pub logo: Option<Logo>,
    /// The colour of buttons and links.
    pub accent: Colour,
    /// Where people find help.
    pub support: Option<Support>,
}

/// A picture for the top of every page.
#[derive(Clone, Debug)]
pub struct Logo {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// What they are.
    pub media_type: &'static str,
}

/// Where people find help.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Support {
    /// For a link: `https:` or `mailto:`.
    pub href: String,
    /// What the link says.
    pub label: String,
}

/// The style sheet with the colours that depend on the accent.
pub(super) fn colours(accent: Colour) -> String {
    let light = accent.light(&known(&LIGHT_GROUNDS));
    let dark = accent.dark(&known(&DARK_GROUNDS));
    format!(
        ":root {{ {} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {} }} }}\n",
        properties(&light),
        properties(&dark)
    )
}

/// The drawing for those who have no logo.
pub(super) fn drawn_logo(accent: Colour) -> Logo {
    let shades = accent.light(&known(&LIGHT_GROUNDS));
    let text = DEFAULT_LOGO.replace("ACCENT", &shades.accent.to_string()).replace("ON", &shades.on_accent.to_string());
    Logo { bytes: text.into_bytes(), media_type: "image/svg+xml" }
}

fn known(texts: &[&str]) -> Vec<Colour> {
    texts.iter().map(|text| Colour::parse(text).expect("the constants of this file are colours")).collect()
}

fn properties(shades: &Shades) -> String {
    let Shades { accent, on_accent, strong, on_strong, soft, link } = shades;
    format!(
        "--accent: {accent}; --on-accent: {on_accent}; --accent-strong: {strong}; --on-accent-strong: {on_strong}; \
         --accent-soft: {soft}; --link: {link};"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colours_follow_the_accent() {
        let css = colours(Colour::parse("#ffcc00").unwrap());
        assert!(css.starts_with(":root { --accent: #ffcc00; --on-accent: #000000;"), "{css}");
        assert!(css.contains("prefers-color-scheme: dark"), "{css}");
    }

    #[test]
    fn the_surfaces_of_the_style_sheet_are_those_that_the_contrast_is_computed_for() {
        let css = include_str!("../assets/style.css");
        for name in ["ground", "surface", "sunken"] {
            let lines = css.lines().filter_map(|line| line.trim().strip_prefix(&format!("--{name}: ")));
            let values: Vec<String> =
                lines.map(|value| value.trim_end_matches(';').replace("#fff", "#ffffff")).collect();
            let [light, dark] = values.try_into().expect("one in each scheme");
            assert!(LIGHT_GROUNDS.contains(&light.as_str()), "{name} {light}");
            assert!(DARK_GROUNDS.contains(&dark.as_str()), "{name} {dark}");
        }
    }
}
