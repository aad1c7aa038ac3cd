//! The accent colour, and what stays readable on it and beside it: WCAG 2.2 §1.4.3 and §1.4.11.

/// WCAG 2.2 §1.4.3: "The visual presentation of text and images of text has a contrast ratio of at least 4.5:1".
const TEXT_CONTRAST: f64 = 4.5;
/// WCAG 2.2 §1.4.11: "a contrast ratio of at least 3:1 against adjacent color(s)".
const SHAPE_CONTRAST: f64 = 3.0;
/// How much of the accent is in the soft ground of badges and of the chosen tab.
const SOFT: f64 = 0.1;
/// How far a pressed or hovered button moves away from the accent.
const STRONG: f64 = 0.14;
/// Steps of the search for a readable shade; 1/64 of the way is finer than the eye.
const SHADES: u32 = 64;

const WHITE: Colour = Colour([255, 255, 255]);
const BLACK: Colour = Colour([0, 0, 0]);

/// A colour of sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// The colours of a scheme that depend on the accent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shades {
    /// The ground of the main button.
    pub(super) accent: Colour,
    /// The text on it.
    pub(super) on_accent: Colour,
    /// The ground of the main button under the pointer.
    pub(super) strong: Colour,
    /// The text on that.
    pub(super) on_strong: Colour,
    /// The ground of badges.
    pub(super) soft: Colour,
    /// Links, and text on badges.
    pub(super) link: Colour,
}

impl Colour {
    /// Reads `#rrggbb`.
    ///
    /// # Errors
    /// Says what is expected, in a sentence for the operator.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a colour is written as # and six hexadecimal digits, such as #2457d6";
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(EXPECTED)?;
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| EXPECTED)?;
        Ok(Self([bytes[0], bytes[1], bytes[2]]))
    }

    /// Relative luminance, WCAG 2.2.
    fn luminance(self) -> f64 {
        let [r, g, b] = self.0.map(|channel| {
            let part = f64::from(channel) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// Contrast ratio, WCAG 2.2: from 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// This colour with `share` (0 to 1) of another in it.
    fn mixed(self, other: Self, share: f64) -> Self {
        let mut out = self.0;
        for (own, theirs) in out.iter_mut().zip(other.0) {
            let value = f64::from(*own) * (1.0 - share) + f64::from(theirs) * share;
            // A mean of two bytes is a byte.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            {
                *own = value.round() as u8;
            }
        }
        Self(out)
    }

    /// White or black, whichever is easier to read on this colour. One of them always reaches 4.5.
    fn text(self) -> Self {
        // White looks calmer on a saturated colour, so it wins wherever it is good enough.
        if self.contrast(WHITE) >= TEXT_CONTRAST { WHITE } else { BLACK }
    }

    /// The first shade on the way to `end` that has the contrast against all `grounds`.
    fn until(self, end: Self, grounds: &[Self], contrast: f64) -> Self {
        (0..=SHADES)
            .map(|step| self.mixed(end, f64::from(step) / f64::from(SHADES)))
            .find(|shade| grounds.iter().all(|ground| shade.contrast(*ground) >= contrast))
            .unwrap_or(end)
    }

    /// The colours of the light scheme, whose surfaces are `grounds`, the lightest first.
    pub(super) fn light(self, grounds: &[Self]) -> Shades {
        self.shades(BLACK, self, grounds)
    }

    /// The colours of the dark scheme: a dark accent is lightened until the button stands out.
    pub(super) fn dark(self, grounds: &[Self]) -> Shades {
        self.shades(WHITE, self.until(WHITE, grounds, SHAPE_CONTRAST), grounds)
    }

    fn shades(self, end: Self, accent: Self, grounds: &[Self]) -> Shades {
        let strong = accent.mixed(end, STRONG);
        let soft = grounds[0].mixed(self, SOFT);
        let all: Vec<Self> = grounds.iter().copied().chain([soft]).collect();
        Shades {
            accent,
            on_accent: accent.text(),
            strong,
            on_strong: strong.text(),
            soft,
            link: self.until(end, &all, TEXT_CONTRAST),
        }
    }
}

impl std::fmt::Display for Colour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_on_white_has_the_greatest_contrast() {
        assert!((BLACK.contrast(WHITE) - 21.0).abs() < 0.001);
        assert!((WHITE.contrast(WHITE) - 1.0).abs() < 0.001);
    }

    #[test]
    fn only_six_hexadecimal_digits_are_a_colour() {
        assert_eq!(Colour::parse("#2457D6").unwrap().to_string(), "#2457d6");
        for wrong in ["", "2457d6", "#245", "#2457dg", "#2457d6ff", "blue", "#é€"] {
            assert!(Colour::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_accent_stays_readable_in_both_schemes_wcag_1_4_3() {
        let light = [WHITE, Colour::parse("#f4f5f7").unwrap()];
        let dark = [Colour::parse("#191d23").unwrap(), Colour::parse("#101317").unwrap()];
        let steps = [0, 51, 102, 153, 204, 255];
        for (r, g, b) in
            steps.into_iter().flat_map(|r| steps.map(|g| (r, g))).flat_map(|(r, g)| steps.map(|b| (r, g, b)))
        {
            let accent = Colour([r, g, b]);
            for (shades, grounds) in [(accent.light(&light), light), (accent.dark(&dark), dark)] {
                assert!(shades.accent.contrast(shades.on_accent) >= TEXT_CONTRAST, "{accent} {shades:?}");
                assert!(shades.strong.contrast(shades.on_strong) >= TEXT_CONTRAST, "{accent} {shades:?}");
                assert!(shades.link.contrast(shades.soft) >= TEXT_CONTRAST, "{accent} {shades:?}");
                assert!(grounds.iter().all(|ground| shades.link.contrast(*ground) >= TEXT_CONTRAST), "{accent}");
            }
            let button = accent.dark(&dark).accent;
            assert!(dark.iter().all(|ground| button.contrast(*ground) >= SHAPE_CONTRAST), "{accent}");
        }
    }
}
