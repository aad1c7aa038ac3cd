//! Tests of every page: rendered from its samples, and compared with stored documents.
//!
//! `UPDATE_EXPECT=1` rewrites the documents. With `GRANTRY_PAGES_DIR` set, the tests write pages and static files to
//! that directory, to be viewed in a browser.

use std::path::Path;

use expect_test::expect_file;

use super::*;
use crate::config::settings::Support;
use crate::render::refused::Refused;

fn pages() -> Templates {
    let support = Support { href: "mailto:help@example.com".into(), label: "help@example.com".into() };
    let link = |page: &str, label: &str| Support { href: format!("https://example.com/{page}"), label: label.into() };
    let links = vec![link("terms", "Terms of use"), link("privacy", "Privacy policy")];
    templates(&Brand { name: "Example".into(), support: Some(support), links, ..Brand::default() }, "")
}

/// Returns every sample: its name, the file of its template, and the rendered document.
fn documents() -> Vec<(&'static str, &'static str, String)> {
    let pages = pages();
    let samples = TABLES
        .iter()
        .copied()
        .flatten()
        .flat_map(|row| (row.samples)().into_iter().map(|(name, filled)| (row.file, name, filled)));
    samples.map(|(file, name, filled)| (file, name, pages.render_filled(file, &filled))).collect()
}

#[test]
fn every_page_is_as_it_was_looked_at() {
    for (_, name, html) in documents() {
        // The addresses of static files change with their content. Another test checks them.
        let body = without_digests(&html);
        expect_file![format!("snapshots/{name}.html")].assert_eq(&body);
        if let Some(folder) = std::env::var_os("GRANTRY_PAGES_DIR") {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(Path::new(&folder).join(format!("{name}.html")), &html).unwrap();
        }
    }
}

fn without_digests(body: &str) -> String {
    let paths = pages().asset_paths();
    paths.iter().fold(body.to_owned(), |body, path| {
        let parts: Vec<&str> = path.split('.').collect();
        body.replace(path.as_str(), &format!("{}.….{}", parts[0], parts[2]))
    })
}

#[test]
fn everything_that_a_page_loads_is_there() {
    let pages = pages();
    for (_, name, html) in documents() {
        let loaded = html.split(['"', '\'']).filter(|text| text.starts_with("/assets/"));
        let mut count = 0;
        for path in loaded {
            assert!(pages.asset(path).is_some(), "{name}: {path}");
            count += 1;
        }
        assert!(count >= 4, "{name}");
    }
    if let Some(folder) = std::env::var_os("GRANTRY_PAGES_DIR") {
        let folder = Path::new(&folder).join("assets");
        std::fs::create_dir_all(&folder).unwrap();
        for path in pages.asset_paths() {
            std::fs::write(folder.join(path.trim_start_matches("/assets/")), &pages.asset(&path).unwrap().bytes)
                .unwrap();
        }
    }
}

#[test]
fn no_page_holds_scripts_styles_or_events_of_its_own() {
    for (_, name, html) in documents() {
        assert!(!html.contains("style="), "{name}");
        assert!(!html.contains("<style"), "{name}");
        let tags = html.split('<').skip(1).filter_map(|rest| rest.split('>').next());
        assert!(tags.into_iter().all(|tag| !tag.contains(" on")), "{name}");
        assert_eq!(html.matches("<script").count(), 1, "{name}");
    }
}

#[test]
fn every_form_posts_and_carries_its_seal() {
    for (file, name, html) in documents() {
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            assert!(form.contains("method=\"post\""), "{name}");
            assert_eq!(form.contains("name=\"csrf\""), file != "form_post.html", "{name}");
        }
    }
}

#[test]
fn every_page_has_one_heading_a_title_a_language_and_one_main_part() {
    for (_, name, html) in documents() {
        for part in ["<h1", "<main", "<title>", "lang=\"en\""] {
            assert_eq!(html.matches(part).count(), 1, "{name}: {part}");
        }
        let title = html.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
        assert!(title.ends_with(" – Example"), "{name}: {title}");
        assert_eq!(title.starts_with("Error: "), html.contains("role=\"alert\""), "{name}: {title}");
    }
}

#[test]
fn every_problem_is_told_in_one_place_that_takes_the_focus() {
    for (file, name, html) in documents() {
        assert!(html.matches("role=\"alert\"").count() <= 1, "{name}");
        let is_at_field = html.contains("-fault\" role=\"alert\"");
        assert!(!(is_at_field && html.contains("id=\"problem\"")), "{name}");
        if is_at_field {
            assert!(html.contains("aria-invalid=\"true\" autofocus"), "{name}");
        }
        // A card has few fields. A problem with one of them stands at the field alone.
        if matches!(file, "sign_in.html" | "second_factor.html") && html.contains("aria-invalid") {
            assert!(is_at_field, "{name}");
        }
    }
}

#[test]
fn a_logo_for_the_dark_scheme_an_icon_and_a_word_mark_are_shown() {
    let image = |text: &str| Some(("image/svg+xml".to_owned(), text.as_bytes().to_vec()));
    let brand = Brand {
        name: "Example".into(),
        logo: image("<svg/>"),
        logo_dark: image("<svg id='dark'/>"),
        icon: Some(("image/x-icon".into(), vec![1])),
        is_name_shown: false,
        ..Brand::default()
    };
    let html = templates(&brand, "/auth").render(&home::Home {});
    let dark = html.split("srcset=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(dark.starts_with("/auth/assets/logo-dark."), "{html}");
    assert!(html.contains("media=\"(prefers-color-scheme: dark)\""), "{html}");
    assert!(html.contains("<link rel=\"icon\" href=\"/auth/assets/icon."), "{html}");
    assert!(html.contains("alt=\"Example\"") && !html.contains("<span>Example</span>"), "{html}");
    assert!(!html.contains("<footer"), "without links there is no footer: {html}");
    assert!(templates(&brand, "/auth").asset(dark.trim_start_matches("/auth")).is_some());
}

#[test]
fn every_field_has_a_label_and_no_id_is_there_twice() {
    for (_, name, html) in documents() {
        let ids: Vec<&str> = html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{name}: {id} twice");
        }
        for input in html.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap()) {
            if input.contains("type=\"hidden\"") || input.contains(" hidden") {
                continue;
            }
            let id = input.split("id=\"").nth(1).expect("a field has an id").split('"').next().unwrap();
            assert!(html.contains(&format!("<label for=\"{id}\"")), "{name}: {id}");
            for described in input.split("aria-describedby=\"").skip(1) {
                for id in described.split('"').next().unwrap().split(' ') {
                    assert!(ids.contains(&id), "{name}: {id}");
                }
            }
        }
    }
}

#[test]
fn a_template_of_the_operators_takes_the_place_of_ours() {
    let mut pages = pages();
    pages.replace(vec![("home.html".into(), "<p>Hello from {{ brand.name }}</p>".into())]).unwrap();
    assert_eq!(pages.render(&home::Home {}), "<p>Hello from Example</p>");
    assert!(pages.render(&way::signed_out::SignedOut {}).contains("You are signed out"));
}

#[test]
fn templates_that_would_fail_are_refused_with_their_place() {
    let refused = |file: &str, source: &str| pages().replace(vec![(file.into(), source.into())]).unwrap_err();
    assert!(
        refused("homepage.html", "")[0].starts_with("homepage.html is the name of no template; there are layout.html")
    );
    assert!(refused("home.html", "{% if %}")[0].starts_with("home.html:1: "));
    let misspelt = refused("consent.html", "<p>\n{{ page.applikation.name }}</p>");
    assert!(misspelt[0].starts_with("consent.html:2: "), "{misspelt:?}");
    assert_eq!(misspelt.len(), 5, "{misspelt:?}");
}

#[test]
fn templates_that_were_tried_before_are_taken_over_without_samples() {
    let mut pages = pages();
    let template = |source: &str| vec![("home.html".to_owned(), source.to_owned())];
    assert!(pages.replace(template("{{ page.oops }}")).is_err());
    assert!(pages.render(&home::Home {}).contains("<h1"), "what was refused is not used");
    pages.adopt(template("{{ page.oops }}")).unwrap();
    assert!(pages.render(&home::Home {}).contains("<h1"), "what fails falls back");
    pages.adopt(template("ours")).unwrap();
    assert_eq!(pages.render(&home::Home {}), "ours");
    assert!(pages.adopt(template("{% if %}")).unwrap_err()[0].starts_with("home.html:1: "));
}

#[test]
fn what_fails_in_spite_of_all_samples_falls_back_to_what_is_shipped() {
    let mut pages = pages();
    let source = "{% if page.error == 'invalid_target' %}{{ page.oops }}{% endif %}ours";
    pages.replace(vec![("refused.html".into(), source.into())]).unwrap();
    use protocol::refusal::No;
    let page = |no: No| pages.render(&Refused::new(&no.into(), "1"));
    assert_eq!(page(No::AddressUnknown), "ours");
    assert!(page(No::ResourceUnknown).contains("invalid_target"));
}

#[test]
fn links_and_forms_stay_below_the_path_of_the_issuer() {
    let pages = templates(&Brand::default(), "/auth");
    for row in TABLES.iter().copied().flatten() {
        for (name, filled) in (row.samples)() {
            let html = pages.render_filled(row.file, &filled);
            for attribute in [" href=\"/", " action=\"/", " src=\"/"] {
                for rest in html.split(attribute).skip(1) {
                    assert!(rest.starts_with("auth/"), "{name}: {}", &rest[..20]);
                }
            }
        }
    }
}
