//! Shades of the accent colour with enough contrast: WCAG 2.2 §1.4.3 and §1.4.11.

use crate::config::accent::Accent as Colour;

/// Minimum contrast of text. WCAG 2.2 §1.4.3: "The visual presentation of text and images of text has a contrast ratio
/// of at least 4.5:1".
const TEXT_CONTRAST: f64 = 4.5;
/// Minimum contrast of buttons. WCAG 2.2 §1.4.11: "a contrast ratio of at least 3:1 against adjacent color(s)".
const SHAPE_CONTRAST: f64 = 3.0;
/// Share of the accent in the background of badges and of the selected tab.
const SOFT: f64 = 0.1;
/// Share of black or white in the accent of a pressed or hovered button.
const STRONG: f64 = 0.14;
/// Number of steps in the search for a readable shade. The eye does not see a difference of 1/64.
const SHADES: u32 = 64;

const WHITE: Colour = Colour([255; 3]);
const BLACK: Colour = Colour([0; 3]);

// The background colours of `style.css`, that of cards first.
const LIGHT_GROUNDS: [Colour; 2] = [WHITE, Colour([0xf4, 0xf5, 0xf7])];
const DARK_GROUNDS: [Colour; 3] = [Colour([0x19, 0x1d, 0x23]), Colour([0x10, 0x13, 0x17]), Colour([0x12, 0x16, 0x1b])];

/// The colours of a light or dark scheme that depend on the accent.
#[derive(Clone, Copy, Debug)]
struct Shades {
    /// The background of the main button.
    accent: Colour,
    /// The background of the main button under the pointer.
    strong: Colour,
    /// The background of badges.
    soft: Colour,
    /// Links, and text on badges.
    link: Colour,
}

/// Returns the style sheet with the colours that depend on the accent.
pub(super) fn style(accent: Colour) -> String {
    let (light, dark) = (light(accent), dark(accent));
    format!(
        ":root {{ {} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {} }} }}\n",
        properties(&light),
        properties(&dark)
    )
}

fn properties(shades: &Shades) -> String {
    let Shades { accent, strong, soft, link } = shades;
    format!(
        "--accent: {}; --on-accent: {}; --accent-strong: {}; --on-accent-strong: {}; --accent-soft: {}; --link: {};",
        accent.css(),
        accent.text().css(),
        strong.css(),
        strong.text().css(),
        soft.css(),
        link.css()
    )
}

fn light(accent: Colour) -> Shades {
    shades(accent, accent, BLACK, &LIGHT_GROUNDS)
}

/// Returns the shades of the dark scheme. A dark accent is lightened until the button stands out from the background.
fn dark(accent: Colour) -> Shades {
    shades(accent, until(accent, WHITE, &DARK_GROUNDS, SHAPE_CONTRAST), WHITE, &DARK_GROUNDS)
}

fn shades(accent: Colour, button: Colour, end: Colour, grounds: &[Colour]) -> Shades {
    let soft = mixed(grounds[0], accent, SOFT);
    let all: Vec<Colour> = grounds.iter().copied().chain([soft]).collect();
    Shades { accent: button, strong: mixed(button, end, STRONG), soft, link: until(accent, end, &all, TEXT_CONTRAST) }
}

/// Returns the first shade between `colour` and `end` that has the contrast to all `grounds`; `end` if there is none.
fn until(colour: Colour, end: Colour, grounds: &[Colour], contrast: f64) -> Colour {
    (0..=SHADES)
        .map(|step| mixed(colour, end, f64::from(step) / f64::from(SHADES)))
        .find(|shade| grounds.iter().all(|ground| shade.contrast(*ground) >= contrast))
        .unwrap_or(end)
}

/// Mixes two colours. `share` is that of `other`, from 0 to 1.
fn mixed(colour: Colour, other: Colour, share: f64) -> Colour {
    let mut out = colour.0;
    for (own, theirs) in out.iter_mut().zip(other.0) {
        let value = f64::from(*own) * (1.0 - share) + f64::from(theirs) * share;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of two bytes is a byte")]
        {
            *own = value.round() as u8;
        }
    }
    Colour(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colours_follow_the_accent() {
        let css = style(Colour::parse("#ffcc00").unwrap());
        assert!(css.starts_with(":root { --accent: #ffcc00; --on-accent: #000000;"), "{css}");
        assert!(css.contains("prefers-color-scheme: dark"), "{css}");
    }

    #[test]
    fn the_surfaces_of_the_style_sheet_are_those_that_the_contrast_is_computed_for() {
        let css = include_str!("../assets/style.css");
        for name in ["ground", "surface", "sunken"] {
            let lines = css.lines().filter_map(|line| line.trim().strip_prefix(&format!("--{name}: ")));
            let values: Vec<Colour> =
                lines.map(|value| Colour::parse(value.trim_end_matches(';')).expect("a surface is a colour")).collect();
            let [light, dark] = values.try_into().expect("one in each scheme");
            assert!(LIGHT_GROUNDS.contains(&light), "{name} {light:?}");
            assert!(DARK_GROUNDS.contains(&dark), "{name} {dark:?}");
        }
    }

    #[test]
    fn every_accent_stays_readable_in_both_schemes_wcag_1_4_3() {
        let steps = [0, 51, 102, 153, 204, 255];
        let pairs = steps.into_iter().flat_map(|r| steps.map(|g| (r, g)));
        for accent in pairs.flat_map(|(r, g)| steps.map(|b| Colour([r, g, b]))) {
            for (shades, grounds) in [(light(accent), &LIGHT_GROUNDS[..]), (dark(accent), &DARK_GROUNDS[..])] {
                assert!(shades.accent.contrast(shades.accent.text()) >= TEXT_CONTRAST, "{accent:?} {shades:?}");
                assert!(shades.strong.contrast(shades.strong.text()) >= TEXT_CONTRAST, "{accent:?} {shades:?}");
                assert!(shades.link.contrast(shades.soft) >= TEXT_CONTRAST, "{accent:?} {shades:?}");
                assert!(grounds.iter().all(|ground| shades.link.contrast(*ground) >= TEXT_CONTRAST), "{accent:?}");
            }
            let button = dark(accent).accent;
            assert!(DARK_GROUNDS.iter().all(|ground| button.contrast(*ground) >= SHAPE_CONTRAST), "{accent:?}");
        }
    }
}
