//! The page on which users register an application.

use protocol::model::ClientKind;
use protocol::refusal::{No, Refusal};
use serde::Serialize;

use super::offer::{api_name, may_register, offered};
use super::setting_form::SettingForm;
use super::visitor::{Visitor, problem};
use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::page::Page;
use crate::render::problem::Problem;

/// The values for the template of the page.
#[derive(Serialize)]
pub(super) struct NewApplication {
    account: Frame,
    #[serde(flatten)]
    form: SettingForm,
    is_public: bool,
    apis: Vec<Api>,
    /// True if the form was filled in before a sign-in.
    is_carried: bool,
    #[serde(skip)]
    problem: Option<Problem>,
}

/// A surface to choose from.
#[derive(Serialize)]
struct Api {
    word: String,
    name: String,
    is_chosen: bool,
}

/// Renders the page, with the refusal of the last action if there was one.
pub(super) fn show(visitor: &Visitor<'_>) -> String {
    let Visitor { app, page, typed, refusal, .. } = visitor;
    let offered = offered(app, may_register);
    let wanted = typed.value("dialect").map(ToOwned::to_owned).or_else(|| page.query("dialect"));
    let chosen = offered.iter().position(|(dialect, _)| Some(&dialect.name) == wanted.as_ref()).unwrap_or(0);
    let apis = offered.iter().enumerate();
    let usual = offered.get(chosen).map_or(ClientKind::Confidential, |(_, policy)| policy.client.kind);
    let kind = typed.value("kind").and_then(ClientKind::from_name).unwrap_or(usual);
    let shown = NewApplication {
        account: visitor.frame(),
        form: SettingForm::new(|row| typed.value(row.name).unwrap_or_default().to_owned()),
        is_public: kind == ClientKind::Public,
        apis: apis
            .map(|(at, (dialect, _))| Api {
                word: dialect.name.clone(),
                name: api_name(app, dialect),
                is_chosen: at == chosen,
            })
            .collect(),
        is_carried: refusal.is_none() && !typed.is_empty(),
        problem: refusal.map(|refusal| problem(visitor, refusal, kind)),
    };
    app.templates.render(&shown)
}

impl Page for NewApplication {
    const FILE: &'static str = "developer_new_application.html";

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let api = |word: &str, place: &str, is_chosen| Api {
            word: word.to_owned(),
            name: format!("{word} API at {place}"),
            is_chosen,
        };
        let page = |apis| Self {
            account: Frame::sample(paths::DEVELOPER),
            form: SettingForm::sample(&[]),
            is_public: false,
            apis,
            is_carried: false,
            problem: None,
        };
        let one = || vec![api("standard", "auth.example.com", true)];
        let two = || vec![api("standard", "auth.example.com", false), api("paced", "www.paced.email", true)];
        let form = |name| {
            SettingForm::sample(&[
                ("name", name),
                ("redirect_uris", "https://importer.example/cb\nhttp://importer.example/cb"),
                ("homepage", "https://importer.example/"),
                ("logo_uri", "https://importer.example/logo.png"),
            ])
        };
        let filled = |no: No| Self {
            form: form("Importer \"2\""),
            is_public: true,
            problem: Some(Problem::new(&no.into())),
            ..page(two())
        };
        let wrong = Problem::new(&No::RedirectUriUnencrypted.into()).with("http://importer.example/cb");
        let reserved = Refusal::from(No::NameReserved).with_value("Google");
        let reserved =
            Self { form: form("Goog1e Drive"), problem: Some(Problem::new(&reserved)), ..filled(No::NameMalformed) };
        vec![
            ("developer_new_application", page(one())),
            ("developer_new_application_apis", page(two())),
            ("developer_new_application_wrong", Self { problem: Some(wrong), ..filled(No::NameMalformed) }),
            ("developer_new_application_logo", filled(No::LogoUriMalformed)),
            ("developer_new_application_reserved", reserved),
            ("developer_new_application_kind", filled(No::ClientKindUnknown)),
            ("developer_new_application_many", filled(No::ApplicationsTooMany)),
            ("developer_new_application_api", filled(No::DialectNotOffered)),
            ("developer_new_application_again", Self { problem: None, is_carried: true, ..filled(No::NameMalformed) }),
        ]
    }
}
