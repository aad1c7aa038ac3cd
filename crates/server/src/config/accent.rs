//! The accent colour and its contrast. WCAG 2.2 §1.4.3 requires a contrast of 4.5 to 1 between text and background.

/// Minimum contrast of text by WCAG 2.2 §1.4.3.
pub const CONTRAST_MIN: f64 = 4.5;

/// A colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accent(pub [u8; 3]);

impl Accent {
    /// The default colour.
    pub const DEFAULT: Self = Self([0x2f, 0x5f, 0xd0]);

    /// Parses `#rgb` or `#rrggbb`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let channel = |text: &str| u8::from_str_radix(text, 16).ok();
        match digits.len() {
            3 => {
                let one = |at: usize| channel(&digits[at..=at]).map(|digit| digit * 17);
                Some(Self([one(0)?, one(1)?, one(2)?]))
            }
            6 => Some(Self([channel(&digits[..2])?, channel(&digits[2..4])?, channel(&digits[4..])?])),
            _ => None,
        }
    }

    /// Returns the colour as `#rrggbb`.
    #[must_use]
    pub fn css(self) -> String {
        let [red, green, blue] = self.0;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// Returns the colour of text on this background: white if its contrast suffices, otherwise black. One of the two
    /// always does.
    #[must_use]
    pub fn text(self) -> Self {
        let white = Self([255; 3]);
        if self.contrast(white) >= CONTRAST_MIN { white } else { Self([0; 3]) }
    }

    /// Returns the contrast between two colours, from 1 to 21; WCAG 2.2, "contrast ratio".
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_read_in_both_lengths_and_nothing_else_is() {
        assert_eq!(Accent::parse("#2f5fd0").unwrap().css(), "#2f5fd0");
        assert_eq!(Accent::parse("#fa0").unwrap().css(), "#ffaa00");
        for bad in ["2f5fd0", "#2f5fd", "#ggg", "#+12", "red", ""] {
            assert_eq!(Accent::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let white = Accent([255; 3]);
        assert!((white.contrast(Accent([0; 3])) - 21.0).abs() < 1e-9);
        assert!((white.contrast(Accent::parse("#777777").unwrap()) - 4.48).abs() < 0.01);
    }

    #[test]
    fn text_on_any_accent_can_be_read_wcag_1_4_3() {
        for step in 0..=255 {
            let accent = Accent([step, 255 - step, step / 2]);
            assert!(accent.contrast(accent.text()) >= CONTRAST_MIN, "{}", accent.css());
        }
    }
}
