//! The files that pages load: two style sheets, a script, the logo and the icon. The path of each contains its digest, so browsers
//! may cache it for ever.

use bytes::Bytes;
use protocol::secret::Digest;
use serde::Serialize;

use super::shades;
use crate::config::accent::Accent;
use crate::config::settings::Brand;

const STYLE: &str = include_str!("../assets/style.css");
const SCRIPT: &str = include_str!("../assets/page.js");
const LOGO: &str = include_str!("../assets/logo.svg");
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
/// Number of hexadecimal digits of the digest in a path.
const DIGITS: usize = 12;

/// A static file that pages load.
#[derive(Clone, Debug)]
pub struct Asset {
    /// The path of the file, below the path of the issuer.
    path: String,
    /// The media type of the file.
    pub content_type: String,
    /// The content of the file.
    pub bytes: Bytes,
}

/// All static files of the pages.
#[derive(Clone, Debug)]
pub(super) struct Assets {
    all: Vec<Asset>,
    pub(super) paths: Paths,
}

/// The paths of the static files, for the templates.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Paths {
    pub(super) style: String,
    pub(super) colours: String,
    pub(super) script: String,
    pub(super) logo: String,
    /// The logo of the dark colour scheme; `None` if it is the same.
    pub(super) logo_dark: Option<String>,
    /// The icon of the browser's tab.
    pub(super) icon: String,
}

impl Asset {
    /// `Cache-Control` of a static file: one year. The path changes with the content.
    pub const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";
    /// `Content-Security-Policy` of a static file. An SVG image that is opened by itself can neither run scripts nor
    /// load anything.
    pub const CSP: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

    fn new(name: &str, content_type: &str, bytes: Bytes) -> Self {
        let digest = String::from(Digest::of(&bytes));
        let ending = match content_type {
            CSS => ".css",
            JAVASCRIPT => ".js",
            SVG => ".svg",
            _ => "",
        };
        Self {
            path: format!("/assets/{name}.{}{ending}", &digest[..DIGITS]),
            content_type: content_type.to_owned(),
            bytes,
        }
    }
}

impl Assets {
    pub(super) fn new(brand: &Brand, base: &str) -> Self {
        let style = Asset::new("style", CSS, Bytes::from_static(STYLE.as_bytes()));
        let colours = Asset::new("brand", CSS, shades::style(brand.accent).into());
        let script = Asset::new("page", JAVASCRIPT, Bytes::from_static(SCRIPT.as_bytes()));
        let logo = match &brand.logo {
            Some((media_type, bytes)) => Asset::new("logo", media_type, bytes.clone().into()),
            None => Asset::new("logo", SVG, drawn_logo(brand.accent).into()),
        };
        let image = |name: &str, own: &Option<(String, Vec<u8>)>| {
            own.as_ref().map(|(media_type, bytes)| Asset::new(name, media_type, bytes.clone().into()))
        };
        let (logo_dark, icon) = (image("logo-dark", &brand.logo_dark), image("icon", &brand.icon));
        let paths = Paths {
            style: format!("{base}{}", style.path),
            colours: format!("{base}{}", colours.path),
            script: format!("{base}{}", script.path),
            logo: format!("{base}{}", logo.path),
            logo_dark: logo_dark.as_ref().map(|own| format!("{base}{}", own.path)),
            icon: format!("{base}{}", icon.as_ref().unwrap_or(&logo).path),
        };
        let all = [style, colours, script, logo].into_iter().chain(logo_dark).chain(icon).collect();
        Self { all, paths }
    }

    #[cfg(test)]
    pub(super) fn all_paths(&self) -> Vec<String> {
        self.all.iter().map(|asset| asset.path.clone()).collect()
    }

    /// Returns the file at this path.
    pub(super) fn at(&self, path: &str) -> Option<&Asset> {
        self.all.iter().find(|asset| asset.path == path)
    }
}

/// Returns the default logo as SVG, in the accent colour.
fn drawn_logo(accent: Accent) -> String {
    LOGO.replace("ACCENT", &accent.css()).replace("ON", &accent.text().css())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand(accent: &str) -> Brand {
        Brand { accent: Accent::parse(accent).unwrap(), ..Brand::default() }
    }

    #[test]
    fn every_address_leads_to_its_file_and_changes_with_it() {
        let blue = Assets::new(&brand("#0000ff"), "");
        let red = Assets::new(&brand("#ff0000"), "");
        assert_eq!(blue.at(&blue.paths.colours).unwrap().content_type, "text/css; charset=utf-8");
        assert_eq!(blue.at(&blue.paths.logo).unwrap().content_type, "image/svg+xml");
        assert_ne!(blue.paths.colours, red.paths.colours);
        assert_eq!(blue.paths.style, red.paths.style);
        assert!(blue.at(&red.paths.colours).is_none());
    }
}
