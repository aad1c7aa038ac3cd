//! Names that no self-registered application may have: the provider's own, and those of well-known companies. A name counts
//! also if it only looks like a reserved one.
//!
//! Names are compared by their skeletons, Unicode Technical Standard 39 §4, without case, accents, spaces and punctuation. Digits
//! that stand for letters count as these letters.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::skeleton;

/// Shortest word of the provider's name that is reserved by itself, in characters.
const BRAND_WORD_CHARACTERS_MIN: usize = 4;
/// Shortest provider's name, in characters, that is found within a longer word as well.
const BRAND_WITHIN_CHARACTERS_MIN: usize = 6;
/// Shortest reserved name, in characters, that is found in a word with one of [`AFFIXES`].
const AFFIXED_CHARACTERS_MIN: usize = 5;

/// Words of a provider's name that many applications have in theirs.
const COMMON_WORDS: &[&str] = &[
    "account",
    "accounts",
    "agency",
    "analytics",
    "apps",
    "bank",
    "base",
    "blog",
    "board",
    "book",
    "books",
    "bureau",
    "business",
    "calendar",
    "chat",
    "city",
    "cloud",
    "club",
    "code",
    "coffee",
    "company",
    "connect",
    "corp",
    "cycle",
    "data",
    "database",
    "demo",
    "design",
    "desk",
    "developer",
    "developers",
    "digital",
    "direct",
    "docs",
    "drive",
    "email",
    "europe",
    "example",
    "express",
    "family",
    "file",
    "files",
    "finance",
    "flow",
    "food",
    "free",
    "from",
    "games",
    "global",
    "gmbh",
    "graph",
    "group",
    "health",
    "help",
    "home",
    "host",
    "hosting",
    "house",
    "identity",
    "import",
    "info",
    "international",
    "labs",
    "learn",
    "library",
    "life",
    "link",
    "links",
    "list",
    "live",
    "local",
    "login",
    "mail",
    "maps",
    "market",
    "media",
    "mobile",
    "money",
    "music",
    "network",
    "networks",
    "news",
    "note",
    "notes",
    "office",
    "online",
    "open",
    "page",
    "pages",
    "paper",
    "people",
    "phone",
    "photo",
    "photos",
    "play",
    "point",
    "post",
    "press",
    "project",
    "projects",
    "radio",
    "report",
    "reports",
    "research",
    "room",
    "school",
    "science",
    "search",
    "secure",
    "security",
    "server",
    "service",
    "services",
    "shop",
    "short",
    "sign",
    "site",
    "smart",
    "social",
    "software",
    "solutions",
    "space",
    "sports",
    "stock",
    "storage",
    "store",
    "stream",
    "studio",
    "support",
    "sync",
    "system",
    "systems",
    "table",
    "task",
    "tasks",
    "team",
    "teams",
    "tech",
    "technologies",
    "technology",
    "test",
    "that",
    "things",
    "this",
    "tickets",
    "time",
    "tools",
    "trade",
    "travel",
    "university",
    "user",
    "video",
    "view",
    "voice",
    "wallet",
    "water",
    "weather",
    "wiki",
    "with",
    "word",
    "work",
    "works",
    "world",
    "your",
];

/// Words that make a name look more like that of a company without changing whose name it is.
const AFFIXES: &[&str] = &[
    "accounts",
    "account",
    "admin",
    "api",
    "app",
    "auth",
    "center",
    "cloud",
    "desktop",
    "drive",
    "help",
    "inc",
    "login",
    "mail",
    "mobile",
    "my",
    "official",
    "online",
    "pay",
    "real",
    "secure",
    "security",
    "service",
    "services",
    "signin",
    "support",
    "team",
    "the",
    "verification",
    "verified",
    "verify",
];

/// The word before the name of a company that says what an application is made for: "Importer for Google Drive".
const FOR: &str = "for";

/// The reserved names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservedNames {
    /// The names as people write them, by their folded form.
    names: BTreeMap<String, Reserved>,
    /// Length of the longest folded form, in bytes.
    bytes_max: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Reserved {
    name: String,
    whose: Whose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The provider's name.
    Brand,
    /// A word of the provider's name.
    BrandWord,
    /// A name from the operator's list.
    Listed,
}

impl ReservedNames {
    /// Reserves the name of the provider, its words, and the names of a list.
    #[must_use]
    pub fn new(brand: &str, listed: &[String]) -> Self {
        let mut reserved = Self::default();
        reserved.add(brand, Whose::Brand);
        for word in brand.split(|own: char| !own.is_alphanumeric()) {
            let is_own = word.chars().count() >= BRAND_WORD_CHARACTERS_MIN
                && !COMMON_WORDS.contains(&word.to_lowercase().as_str());
            if is_own {
                reserved.add(word, Whose::BrandWord);
            }
        }
        for name in listed {
            reserved.add(name, Whose::Listed);
        }
        reserved
    }

    fn add(&mut self, name: &str, whose: Whose) {
        let form: String = words(name).iter().map(|word| folded(word)).collect();
        if !form.is_empty() {
            self.bytes_max = self.bytes_max.max(form.len());
            self.names.entry(form).or_insert_with(|| Reserved { name: name.trim().to_owned(), whose });
        }
    }

    /// Returns the reserved name that `name` is, contains, or looks like.
    #[must_use]
    pub fn imitated(&self, name: &str) -> Option<&str> {
        if self.names.is_empty() {
            return None;
        }
        let words = words(name);
        let forms: Vec<String> = words.iter().map(|word| folded(word)).collect();
        let found = (0..words.len()).find_map(|start| self.begun_at(start, &words, &forms));
        found.or_else(|| self.within(&forms.concat())).map(|own| own.name.as_str())
    }

    /// Looks for a reserved name that the words from `start` on spell. Several words may spell one: "Pay Pal".
    fn begun_at(&self, start: usize, words: &[String], forms: &[String]) -> Option<&Reserved> {
        let is_for = start >= 2 && forms[start - 1] == FOR;
        let good = |own: &&Reserved| !(is_for && own.whose == Whose::Listed);
        let (mut joined, mut longest) = (String::new(), None);
        for form in &forms[start..] {
            joined.push_str(form);
            if joined.len() > self.bytes_max {
                break;
            }
            longest = self.names.get(&joined).filter(good).or(longest);
        }
        if longest.is_some() {
            return longest;
        }
        let plain = folded(words[start].trim_matches(|own: char| own.is_ascii_digit()));
        let affixes = AFFIXES.iter().map(|affix| folded(affix));
        let bare = affixes.flat_map(|affix| {
            let parts = [forms[start].strip_prefix(&*affix), forms[start].strip_suffix(&*affix)];
            parts.map(|part| part.filter(|part| part.chars().count() >= AFFIXED_CHARACTERS_MIN).map(ToOwned::to_owned))
        });
        bare.flatten().chain([plain]).find_map(|form| self.names.get(&form).filter(good))
    }

    /// Looks for the provider's name within all the words together.
    fn within(&self, joined: &str) -> Option<&Reserved> {
        let is_within = |(form, own): &(&String, &Reserved)| {
            own.whose == Whose::Brand
                && form.chars().count() >= BRAND_WITHIN_CHARACTERS_MIN
                && joined.contains(form.as_str())
        };
        self.names.iter().find(is_within).map(|(_, own)| own)
    }
}

/// The words of a name. A capital letter behind a small one begins a word.
fn words(name: &str) -> Vec<String> {
    let characters: Vec<char> = name.nfkc().map(plain_letter).collect();
    let (mut words, mut word) = (Vec::new(), String::new());
    for (at, own) in characters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| characters[at]);
        let after = characters.get(at + 1);
        // A sign between letters may stand for a letter: `PayP@l`.
        let is_sign = stand_in(*own) != *own
            && before.is_some_and(char::is_alphanumeric)
            && after.is_some_and(|after| after.is_alphanumeric());
        let is_part = own.is_alphanumeric() || is_combining_mark(*own) || is_sign;
        let begins = own.is_uppercase() && before.is_some_and(char::is_lowercase);
        if (!is_part || begins) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if is_part {
            word.push(*own);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The form in which words that look the same are the same.
fn folded(word: &str) -> String {
    // Before the case is folded as well, because a capital I looks like a small L.
    let lower = skeleton(word).collect::<String>().to_lowercase();
    let plain = skeleton(&lower).filter(|own| !is_combining_mark(*own)).map(stand_in);
    plain.collect::<String>().replace("vv", "w")
}

/// The letter that a letter-like character shows, where neither NFKC nor the skeleton says so: small capitals, letters in black
/// circles and squares, regional indicators, and Cyrillic letters whose skeletons are small capitals.
fn plain_letter(own: char) -> char {
    const SMALL_CAPITALS: &str = "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢвкмнтκ";
    const LETTERS: &str = "abcdefghijklmnoprstuvwyzbkmhtk";
    // Each of these blocks has the letters from A to Z in order.
    for first in ['🅐', '🅰', '🇦'] {
        let at = u32::from(own).wrapping_sub(u32::from(first));
        if let Some(letter) = u8::try_from(at).ok().filter(|at| *at < 26) {
            return char::from(b'a' + letter);
        }
    }
    SMALL_CAPITALS.chars().position(|small| small == own).and_then(|at| LETTERS.chars().nth(at)).unwrap_or(own)
}

/// The letter for which a digit or a sign may stand.
const fn stand_in(own: char) -> char {
    match own {
        'i' | '1' | '!' | '|' => 'l',
        '0' => 'o',
        '3' | '€' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        '8' => 'b',
        '9' => 'g',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reserved() -> ReservedNames {
        let listed = ["Google", "PayPal", "Microsoft", "Booking.com", "Visa", "eBay", "Amazon"];
        ReservedNames::new("Linkhaven Cloud", &listed.map(ToOwned::to_owned))
    }

    #[test]
    fn a_name_that_is_or_looks_like_a_reserved_one_is_found_uts_39_4() {
        for (name, expected) in [
            ("Linkhaven Cloud", "Linkhaven Cloud"),
            ("linkhavencloud", "Linkhaven Cloud"),
            ("LINKHAVEN", "Linkhaven"),
            ("Linkhaven Security Team", "Linkhaven"),
            ("Support for Linkhaven", "Linkhaven"),
            ("Link haven", "Linkhaven"),
            ("L1nkh4v3n", "Linkhaven"),
            ("Link-Haven", "Linkhaven"),
            ("LinkhavenTeam", "Linkhaven"),
            ("mylinkhaven", "Linkhaven"),
            ("Linkhaven2", "Linkhaven"),
            ("Lınkhаven", "Linkhaven"),
            ("Línkhavén", "Linkhaven"),
            ("Google", "Google"),
            ("G00gle", "Google"),
            ("GoogIe", "Google"),
            ("Goog1e", "Google"),
            ("GOOGLE", "Google"),
            ("G o o g l e", "Google"),
            ("G.o.o.g.l.e", "Google"),
            ("Ｇｏｏｇｌｅ", "Google"),
            ("Gооgle", "Google"),
            ("Gοοgle", "Google"),
            ("ɢᴏᴏɢʟᴇ", "Google"),
            ("🅶🅾🅾🅶🅻🅴", "Google"),
            ("🅖🅞🅞🅖🅛🅔", "Google"),
            ("🇬🇴🇴🇬🇱🇪", "Google"),
            ("Linкhaven", "Linkhaven"),
            ("Linκhaven", "Linkhaven"),
            ("мicrosofт", "Microsoft"),
            ("Google Drive Backup", "Google"),
            ("Google!", "Google"),
            ("Google's", "Google"),
            ("googlesecurity", "Google"),
            ("Google1", "Google"),
            ("PayPal", "PayPal"),
            ("Pay Pal", "PayPal"),
            ("PAYPAL INC", "PayPal"),
            ("PаyPаl", "PayPal"),
            ("P@yP@l", "PayPal"),
            ("Microsоft Login", "Microsoft"),
            ("Micr0$oft", "Microsoft"),
            ("rnicrosoft", "Microsoft"),
            ("Booking", ""),
            ("Booking.com", "Booking.com"),
            ("booking com", "Booking.com"),
            ("Visa", "Visa"),
        ] {
            assert_eq!(reserved().imitated(name).unwrap_or_default(), expected, "{name}");
        }
    }

    #[test]
    fn other_names_are_free() {
        for name in [
            "Importer",
            "Cloud Backup",
            "Importer for Google Drive",
            "Visage",
            "Amazonas Birds",
            "Haven Links",
            "Goggles",
            "山田　太郎",
            "…",
            "",
        ] {
            assert_eq!(reserved().imitated(name), None, "{name}");
        }
        assert_eq!(reserved().imitated("for Google"), Some("Google"));
        assert_eq!(ReservedNames::default().imitated("Google"), None);
    }
}
