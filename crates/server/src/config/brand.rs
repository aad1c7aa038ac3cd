//! `[brand]`: what the pages look like. The operator's templates are tried with every sample of their page.

use super::accent::{Accent, CONTRAST_MIN};
use super::files::plain;
use super::resolver::Resolver;
use super::settings::{Brand, Support};
use crate::pages;

/// Maximum size of a logo or icon, in bytes.
const LOGO_BYTES_MAX: usize = 256 * 1024;
/// Maximum length of the provider's name in characters, so that it fits on pages and in authenticator apps.
const NAME_CHARACTERS_MAX: usize = 60;

/// The links in the footer of every page: the option, and the text of the link.
const LINKS: [(&str, &str); 3] =
    [("brand.terms", "Terms of use"), ("brand.privacy", "Privacy policy"), ("brand.imprint", "Imprint")];

impl Resolver<'_> {
    /// Reads `[brand]`.
    pub(super) fn brand(&mut self) -> Brand {
        let name = self.text("brand.name").unwrap_or_default();
        if let Err(fault) = protocol::names::check(name.trim(), NAME_CHARACTERS_MAX) {
            self.fault("brand.name", format!("`brand.name` {fault}"));
        }
        let written = self.text("brand.accent").unwrap_or_default();
        let accent = Accent::parse(&written).unwrap_or_else(|| {
            self.fault(
                "brand.accent",
                format!("`brand.accent` is {written:?}, it must be a colour such as \"#2f5fd0\""),
            );
            Accent([0; 3])
        });
        let contrast = accent.contrast(Accent([255; 3]));
        if contrast < CONTRAST_MIN {
            let text = format!(
                "`brand.accent` {} on white has a contrast of {contrast:.1} to 1; WCAG asks for {CONTRAST_MIN} of text. \
                 Buttons get black text",
                accent.css()
            );
            self.warn("brand.accent", text);
        }
        let brand = Brand {
            name: name.trim().to_owned(),
            logo: self.image("brand.logo"),
            logo_dark: self.image("brand.logo_dark"),
            icon: self.image("brand.icon"),
            is_name_shown: self.flag("brand.show_name"),
            accent,
            support: self.support(),
            links: LINKS.iter().filter_map(|(key, label)| self.link(key, label)).collect(),
            templates: Vec::new(),
        };
        if brand.logo.is_none() && brand.logo_dark.is_some() {
            self.fault("brand.logo_dark", "`brand.logo_dark` needs `brand.logo`, which is for the light colour scheme");
        }
        if brand.logo.is_none() && !brand.is_name_shown {
            self.fault(
                "brand.show_name",
                "`brand.show_name` is false, so `brand.logo` must name a logo that contains the name",
            );
        }
        let templates = self.templates(&brand);
        Brand { templates, ..brand }
    }

    /// Returns the operator's templates. Each is rendered with every sample of its page.
    fn templates(&mut self, brand: &Brand) -> Vec<(String, String)> {
        let Some(folder) = self.path("brand.templates") else { return Vec::new() };
        let read = std::fs::read_dir(&folder).and_then(|entries| {
            let mut templates = Vec::new();
            for path in entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()? {
                if path.extension().is_some_and(|own| own == "html") {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    templates.push((name, std::fs::read_to_string(&path)?));
                }
            }
            templates.sort();
            Ok(templates)
        });
        match read {
            Ok(templates) => match pages::templates(brand, "").replace(templates.clone()) {
                Ok(()) => return templates,
                Err(problems) => problems.into_iter().for_each(|text| self.fault("brand.templates", text)),
            },
            Err(error) => {
                self.fault("brand.templates", format!("{} cannot be read: {}", folder.display(), plain(&error)));
            }
        }
        Vec::new()
    }

    /// Returns the image in the file of this option, as a media type and its bytes.
    fn image(&mut self, key: &'static str) -> Option<(String, Vec<u8>)> {
        let file = self.path(key)?;
        let is_icon = key == "brand.icon";
        let media_type = match file.extension().and_then(|own| own.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            Some("webp") => "image/webp",
            Some("jpg" | "jpeg") => "image/jpeg",
            Some("ico") if is_icon => "image/x-icon",
            _ => {
                let kinds = if is_icon { "svg, png, webp, jpeg or ico" } else { "svg, png, webp or jpeg" };
                self.fault(key, format!("{} is not an {kinds} file by its name", file.display()));
                return None;
            }
        };
        match std::fs::read(&file) {
            Ok(bytes) if bytes.len() > LOGO_BYTES_MAX => {
                let text = format!("{} has {} bytes, `{key}` may have {LOGO_BYTES_MAX}", file.display(), bytes.len());
                self.fault(key, text);
                None
            }
            Ok(bytes) => Some((media_type.to_owned(), bytes)),
            Err(error) => {
                self.fault(key, format!("{} cannot be read: {}", file.display(), plain(&error)));
                None
            }
        }
    }

    /// Returns the link of this option. It must be an https URL.
    fn link(&mut self, key: &'static str, label: &str) -> Option<Support> {
        let text = self.text(key)?;
        if is_https_url(&text) {
            return Some(Support { href: text, label: label.to_owned() });
        }
        self.fault(key, format!("`{key}` is {text:?}, it must be an https URL such as \"https://example.com/page\""));
        None
    }

    fn support(&mut self) -> Option<Support> {
        let text = self.text("brand.support")?;
        let is_plain = !text.chars().any(|own| own.is_whitespace() || own.is_control());
        if is_https_url(&text) {
            let label = text.trim_start_matches("https://").trim_end_matches('/').to_owned();
            return Some(Support { href: text, label });
        }
        let address = text.strip_prefix("mailto:").unwrap_or(&text);
        let is_address = address.split_once('@').is_some_and(|(own, host)| !own.is_empty() && host.contains('.'));
        if is_address && is_plain && !address.contains(['?', '&', '"', '<', '>']) {
            return Some(Support { href: format!("mailto:{address}"), label: address.to_owned() });
        }
        self.fault(
            "brand.support",
            format!("`brand.support` is {text:?}, it must be an e-mail address or an https URL"),
        );
        None
    }
}

/// True for an https URL without spaces or control characters.
fn is_https_url(text: &str) -> bool {
    let is_plain = !text.chars().any(|own| own.is_whitespace() || own.is_control());
    is_plain && text.starts_with("https://") && url::Url::parse(text).is_ok()
}
