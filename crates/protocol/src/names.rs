//! Names that people read and type: the allowed characters, and the normal form in which sign-in names are compared.
//!
//! People must be able to trust what they read on the consent page. A name therefore contains no character that is
//! invisible or changes the direction of text: Unicode Technical Report 36 §2.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

/// Maximum length of a display name, in characters.
pub const NAME_CHARACTERS_MAX: usize = 200;
/// Maximum length of a user name, in characters.
pub const USERNAME_CHARACTERS_MAX: usize = 64;

/// Invisible characters with names that people may know, for error messages.
const NAMED: &[(char, &str)] = &[
    ('\0', "NULL"),
    ('\t', "CHARACTER TABULATION"),
    ('\n', "LINE FEED"),
    ('\r', "CARRIAGE RETURN"),
    ('\u{1b}', "ESCAPE"),
    ('\u{7f}', "DELETE"),
    ('\u{85}', "NEXT LINE"),
    ('\u{ad}', "SOFT HYPHEN"),
    ('\u{34f}', "COMBINING GRAPHEME JOINER"),
    ('\u{61c}', "ARABIC LETTER MARK"),
    ('\u{115f}', "HANGUL CHOSEONG FILLER"),
    ('\u{1160}', "HANGUL JUNGSEONG FILLER"),
    ('\u{17b4}', "KHMER VOWEL INHERENT AQ"),
    ('\u{17b5}', "KHMER VOWEL INHERENT AA"),
    ('\u{180e}', "MONGOLIAN VOWEL SEPARATOR"),
    ('\u{200b}', "ZERO WIDTH SPACE"),
    ('\u{200c}', "ZERO WIDTH NON-JOINER"),
    ('\u{200d}', "ZERO WIDTH JOINER"),
    ('\u{200e}', "LEFT-TO-RIGHT MARK"),
    ('\u{200f}', "RIGHT-TO-LEFT MARK"),
    ('\u{2028}', "LINE SEPARATOR"),
    ('\u{2029}', "PARAGRAPH SEPARATOR"),
    ('\u{202a}', "LEFT-TO-RIGHT EMBEDDING"),
    ('\u{202b}', "RIGHT-TO-LEFT EMBEDDING"),
    ('\u{202c}', "POP DIRECTIONAL FORMATTING"),
    ('\u{202d}', "LEFT-TO-RIGHT OVERRIDE"),
    ('\u{202e}', "RIGHT-TO-LEFT OVERRIDE"),
    ('\u{2060}', "WORD JOINER"),
    ('\u{2061}', "FUNCTION APPLICATION"),
    ('\u{2062}', "INVISIBLE TIMES"),
    ('\u{2063}', "INVISIBLE SEPARATOR"),
    ('\u{2064}', "INVISIBLE PLUS"),
    ('\u{2066}', "LEFT-TO-RIGHT ISOLATE"),
    ('\u{2067}', "RIGHT-TO-LEFT ISOLATE"),
    ('\u{2068}', "FIRST STRONG ISOLATE"),
    ('\u{2069}', "POP DIRECTIONAL ISOLATE"),
    ('\u{2800}', "BRAILLE PATTERN BLANK"),
    ('\u{3164}', "HANGUL FILLER"),
    ('\u{feff}', "ZERO WIDTH NO-BREAK SPACE"),
    ('\u{ffa0}', "HALFWIDTH HANGUL FILLER"),
    ('\u{fff9}', "INTERLINEAR ANNOTATION ANCHOR"),
    ('\u{fffa}', "INTERLINEAR ANNOTATION SEPARATOR"),
    ('\u{fffb}', "INTERLINEAR ANNOTATION TERMINATOR"),
    ('\u{e0001}', "LANGUAGE TAG"),
];

/// The reason why a text cannot be a name. Its message continues a sentence that begins with a noun such as "The name".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// The name is empty or too long.
    Length {
        /// The maximum length in characters.
        characters_max: usize,
    },
    /// The name contains a character that is invisible or changes how the text around it is read.
    Character {
        /// The character.
        character: char,
        /// The position of the character, counted from 1.
        at: usize,
    },
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { characters_max } => write!(f, "must have between 1 and {characters_max} characters"),
            Self::Character { .. } => write!(f, "contains {}; remove it", self.place()),
        }
    }
}

impl NameFault {
    /// The character and its place, for a sentence about it. Empty for a name of a wrong length.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Length { .. } => String::new(),
            Self::Character { character, at } => format!("{} at character {at}", Described(*character)),
        }
    }
}

/// Formats an invisible character by its code point and its name.
#[derive(Clone, Copy, Debug)]
pub struct Described(pub char);

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = u32::from(self.0);
        write!(f, "U+{code:04X} ")?;
        if let Some((_, name)) = NAMED.iter().find(|(own, _)| *own == self.0) {
            return f.write_str(name);
        }
        match code {
            0xfe00..=0xfe0f => write!(f, "VARIATION SELECTOR-{}", code - 0xfe00 + 1),
            0xe0100..=0xe01ef => write!(f, "VARIATION SELECTOR-{}", code - 0xe0100 + 17),
            0x180b..=0x180f => f.write_str("MONGOLIAN FREE VARIATION SELECTOR"),
            0xe0020..=0xe007f => f.write_str("TAG CHARACTER"),
            _ => f.write_str(match self.0.general_category() {
                GeneralCategory::Control => "(a control character)",
                GeneralCategory::Format => "(an invisible format character)",
                GeneralCategory::PrivateUse => "(a private-use character)",
                GeneralCategory::Unassigned => "(an unassigned character)",
                _ if is_mark(self.0) => "(a combining mark with no character before it)",
                _ => "(an invisible character)",
            }),
        }
    }
}

/// Checks that `text` has at most `characters_max` characters, at least one, and none that deceives its reader.
///
/// # Errors
/// The first fault.
pub fn check(text: &str, characters_max: usize) -> Result<(), NameFault> {
    if !(1..=characters_max).contains(&text.chars().count()) {
        return Err(NameFault::Length { characters_max });
    }
    check_characters(text)
}

/// Checks the characters of a text of any length, such as a sentence that people read.
///
/// # Errors
/// [`NameFault::Character`].
pub fn check_characters(text: &str) -> Result<(), NameFault> {
    let mut before = None;
    let mut rest = text.chars().enumerate().peekable();
    while let Some((index, character)) = rest.next() {
        if is_deceptive(before, character, rest.peek().map(|(_, next)| *next)) {
            return Err(NameFault::Character { character, at: index + 1 });
        }
        before = Some(character);
    }
    Ok(())
}

/// Returns a display name without surrounding white space.
///
/// # Errors
/// As [`check`].
pub fn display_name(text: &str) -> Result<&str, NameFault> {
    let trimmed = text.trim();
    check(trimmed, NAME_CHARACTERS_MAX).map_err(|fault| match fault {
        NameFault::Character { character, at } => {
            // Report the position within the text as it was typed, not within the trimmed text.
            let skipped = text.chars().take_while(|own| own.is_whitespace()).count();
            NameFault::Character { character, at: at + skipped }
        }
        fault @ NameFault::Length { .. } => fault,
    })?;
    Ok(trimmed)
}

/// Cleans a name from an upstream identity provider, whose owner cannot be asked for another one: removes the
/// characters that [`check`] refuses, and shortens the name to the maximum length. Returns `None` if nothing remains.
#[must_use]
pub fn cleaned(text: &str) -> Option<String> {
    let mut name: Vec<char> = text.trim().chars().take(NAME_CHARACTERS_MAX).collect();
    loop {
        let at = |index: usize| name.get(index).copied();
        let is_good = |index: &usize| !is_deceptive(index.checked_sub(1).and_then(at), name[*index], at(index + 1));
        let left: Vec<char> = (0..name.len()).filter(is_good).map(|index| name[index]).collect();
        // After a removal, the neighbouring characters may have become invalid, so check again.
        if left.len() == name.len() {
            let name: String = name.into_iter().collect();
            return Some(name.trim().to_owned()).filter(|name| !name.is_empty());
        }
        name = left;
    }
}

/// Returns true if a character between these two may deceive the reader of a name: it is invisible, changes the
/// direction of text, has no assigned meaning, or is a combining mark without a base.
fn is_deceptive(before: Option<char>, character: char, after: Option<char>) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    match character {
        // Joins several emoji into one, such as a family. Between letters it is invisible.
        '\u{200d}' => !(before.is_some_and(is_emoji_part) && after.is_some_and(is_emoji)),
        // Selects a coloured or a plain emoji. U+20E3 turns a digit into a keycap.
        '\u{fe0e}' | '\u{fe0f}' => !(before.is_some_and(is_emoji) || after == Some('\u{20e3}')),
        '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0d}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        // Visible signs of Arabic, Syriac and Kaithi that stand before a number: format characters by category alone.
        '\u{600}'..='\u{605}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{890}'
        | '\u{891}'
        | '\u{8e2}'
        | '\u{110bd}'
        | '\u{110cd}' => false,
        _ => match character.general_category() {
            GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned => true,
            _ => is_mark(character) && before.is_none_or(char::is_whitespace),
        },
    }
}

fn is_mark(character: char) -> bool {
    matches!(
        character.general_category(),
        GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark | GeneralCategory::EnclosingMark
    )
}

fn is_emoji(character: char) -> bool {
    !character.is_ascii() && character.is_emoji_char()
}

fn is_emoji_part(character: char) -> bool {
    is_emoji(character) || character == '\u{fe0f}'
}

/// Returns the normal form in which sign-in names are compared: without surrounding space, in lower case, and composed
/// (NFC), so that names which look the same are equal. RFC 8265 §3.3 has the same steps.
#[must_use]
pub fn login_name(typed: &str) -> String {
    let lower = verbatim_login_name(typed);
    if lower.is_ascii() {
        return lower;
    }
    // Compose twice, because lower case may decompose characters. The final sigma is a form of the same letter.
    let composed: String = lower.nfc().collect();
    composed.to_lowercase().replace('ς', "σ").nfc().collect()
}

/// Returns the forms under which a name may be stored, in the order in which they are looked up. Older rows have the
/// name in lower case, not composed. If two such accounts look the same, each is found by its own spelling.
#[must_use]
pub fn login_forms(typed: &str) -> Vec<String> {
    let mut forms = vec![verbatim_login_name(typed)];
    if !forms[0].is_ascii() {
        let composed = login_name(typed);
        let decomposed = composed.nfd().collect();
        for form in [composed, decomposed] {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

fn verbatim_login_name(typed: &str) -> String {
    typed.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn told(text: &str) -> String {
        display_name(text).map_or_else(|fault| format!("The name {fault}."), |name| format!("{name:?}"))
    }

    #[test]
    fn a_fault_names_the_character_and_its_place() {
        let told: Vec<String> = [
            "invoice\u{202e}fdp.exe",
            "  a\u{200b}b",
            "a\u{ad}b",
            "a\u{e000}",
            "a\u{e0041}",
            "a\u{fe01}",
            "a\u{7}b",
            "\u{301}e",
            "a \u{301}e",
            "\u{378}",
            " ",
            "two\nlines",
        ]
        .map(told)
        .to_vec();
        expect![[r#"
            The name contains U+202E RIGHT-TO-LEFT OVERRIDE at character 8; remove it.
            The name contains U+200B ZERO WIDTH SPACE at character 4; remove it.
            The name contains U+00AD SOFT HYPHEN at character 2; remove it.
            The name contains U+E000 (a private-use character) at character 2; remove it.
            The name contains U+E0041 TAG CHARACTER at character 2; remove it.
            The name contains U+FE01 VARIATION SELECTOR-2 at character 2; remove it.
            The name contains U+0007 (a control character) at character 2; remove it.
            The name contains U+0301 (a combining mark with no character before it) at character 1; remove it.
            The name contains U+0301 (a combining mark with no character before it) at character 3; remove it.
            The name contains U+0378 (an unassigned character) at character 1; remove it.
            The name must have between 1 and 200 characters.
            The name contains U+000A LINE FEED at character 4; remove it."#]]
        .assert_eq(&told.join("\n"));
    }

    #[test]
    fn every_invisible_or_turning_character_is_refused_utr_36_2() {
        let ranges = ['\0'..='\u{1f}', '\u{7f}'..='\u{9f}', '\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202e}'];
        let more =
            ['\u{2060}'..='\u{206f}', '\u{fff0}'..='\u{fffb}', '\u{e0000}'..='\u{e0fff}', '\u{fe00}'..='\u{fe0f}'];
        let single = "\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180e}\u{2800}\u{3164}\u{feff}\u{ffa0}";
        for character in ranges.into_iter().chain(more).flatten().chain(single.chars()) {
            let expected = Err(NameFault::Character { character, at: 2 });
            assert_eq!(check(&format!("a{character}b"), 200), expected, "U+{:04X}", u32::from(character));
        }
    }

    #[test]
    fn names_of_all_scripts_and_emoji_are_good() {
        for name in [
            "Zoë",
            "Zoe\u{308}",
            "O’Brien-Łukasz, Jr.",
            "山田　太郎",
            "محمد",
            "שרה",
            "नमस्ते",
            "👩\u{200d}💻",
            "👨\u{200d}👩\u{200d}👧",
            "❤\u{fe0f}\u{200d}🔥",
            "1\u{fe0f}\u{20e3}",
            "🇩🇪",
        ] {
            assert_eq!(check(name, 200), Ok(()), "{name}");
        }
        assert!(check("pay\u{200d}pal", 200).is_err());
        assert!(check("a\u{fe0f}", 200).is_err());
    }

    #[test]
    fn a_name_from_elsewhere_is_cleaned() {
        assert_eq!(cleaned(" Al\u{202e}ice\u{200b} "), Some("Alice".to_owned()));
        assert_eq!(cleaned("👩\u{200d}\u{200b}💻"), Some("👩💻".to_owned()));
        assert_eq!(cleaned("\u{200b}\u{feff}"), None);
        let cleaned = cleaned(&"x\u{301}".repeat(300)).unwrap();
        assert_eq!(check(&cleaned, NAME_CHARACTERS_MAX), Ok(()));
    }

    #[test]
    fn names_that_look_the_same_are_the_same_rfc_8265_3_3() {
        for (one, other) in [
            ("josé", "jose\u{301}"),
            (" JOSÉ ", "jose\u{301}"),
            ("Å", "A\u{30a}"),
            ("\u{212b}", "å"),
            ("ΟΔΟΣ", "οδος"),
            ("οδος", "οδοσ"),
            ("가", "\u{1100}\u{1161}"),
            ("Alice", "alice"),
        ] {
            assert_eq!(login_name(one), login_name(other), "{one} {other}");
            assert_eq!(login_name(&login_name(one)), login_name(one));
        }
        assert_ne!(login_name("jose"), login_name("josé"));
    }

    #[test]
    fn a_name_that_was_stored_as_it_was_typed_is_still_found() {
        assert_eq!(login_forms("Alice"), ["alice"]);
        assert_eq!(login_forms("JOSE\u{301}"), ["jose\u{301}", "josé"]);
        assert_eq!(login_forms("josé"), ["josé", "jose\u{301}"]);
    }
}
