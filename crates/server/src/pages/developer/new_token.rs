//! The page on which users make a personal access token.

use protocol::policy::Policy;
use protocol::refusal::No;
use protocol::scope::Scope;
use serde::Serialize;

use super::offer::{api_name, may_have_tokens, offered};
use super::path::NEW_TOKEN;
use super::visitor::Visitor;
use crate::config::value::duration;
use crate::pages::paths;
use crate::pages::signed_in::frame::Frame;
use crate::render::page::Page;
use crate::render::problem::Problem;
use crate::render::words;

/// The lifetimes to choose from: value in the form, and text.
const LIVES: [(&str, &str); 5] =
    [("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"), ("365d", "1 year"), ("never", "Until I revoke it")];
/// The lifetime that is selected at first, if the policy allows it.
const USUAL: &str = "90d";

/// The values for the template of the page.
#[derive(Serialize)]
pub(super) struct NewToken {
    account: Frame,
    /// The surfaces to choose from; empty if there is only one.
    apis: Vec<Api>,
    dialect: String,
    name: String,
    scopes: Vec<Permission>,
    lives: Vec<Life>,
    /// True if the form was filled in before a sign-in.
    is_carried: bool,
    #[serde(skip)]
    problem: Option<Problem>,
}

/// A surface to choose from.
#[derive(Serialize)]
struct Api {
    name: String,
    path: String,
    is_here: bool,
}

/// A scope to choose.
#[derive(Serialize)]
struct Permission {
    word: String,
    sentence: String,
    is_chosen: bool,
}

/// A lifetime to choose from.
#[derive(Serialize)]
struct Life {
    word: String,
    name: String,
    is_chosen: bool,
}

/// Renders the page, with the refusal of the last action if there was one.
pub(super) fn show(visitor: &Visitor<'_>) -> String {
    let Visitor { app, page, typed, refusal, .. } = visitor;
    let offered = offered(app, may_have_tokens);
    let wanted = typed.value("dialect").map(ToOwned::to_owned).or_else(|| page.query("dialect"));
    let here = offered.iter().position(|(dialect, _)| Some(&dialect.name) == wanted.as_ref()).unwrap_or(0);
    let apis = offered.iter().enumerate().map(|(at, (dialect, _))| Api {
        name: api_name(app, dialect),
        path: format!("{NEW_TOKEN}?dialect={}", dialect.name),
        is_here: at == here,
    });
    let policy = offered.get(here).map_or(app.house_policy(), |(_, policy)| policy);
    let scope = if typed.is_empty() { policy.scope.default.clone() } else { Scope::of(typed.values("scope")) };
    let shown = NewToken {
        account: visitor.frame(),
        apis: if offered.len() > 1 { apis.collect() } else { Vec::new() },
        dialect: policy.dialect.clone(),
        name: typed.value("name").unwrap_or_default().to_owned(),
        scopes: permissions(policy, &scope),
        lives: lives(policy.personal.ttl_s, typed.value("expires")),
        is_carried: refusal.is_none() && !typed.is_empty(),
        problem: refusal.map(Problem::new),
    };
    app.templates.render(&shown)
}

fn permissions(policy: &Policy, chosen: &Scope) -> Vec<Permission> {
    // Leave out the scopes that only the operator can give.
    let offered = policy.scope.list.iter().filter(|(word, _)| !policy.scope.is_operator_only(word));
    let all = offered.map(|(word, sentence)| Permission {
        word: word.clone(),
        sentence: sentence.clone(),
        is_chosen: chosen.contains(word),
    });
    all.collect()
}

/// Returns the lifetimes that the surface allows.
fn lives(max_s: Option<u64>, typed: Option<&str>) -> Vec<Life> {
    let fits = |word: &str| match (duration(word), max_s) {
        (_, None) => true,
        (Some(seconds), Some(max_s)) => seconds <= max_s,
        (None, Some(_)) => false,
    };
    let mut lives: Vec<Life> = LIVES
        .iter()
        .filter(|(word, _)| fits(word))
        .map(|(word, name)| Life { word: (*word).to_owned(), name: (*name).to_owned(), is_chosen: false })
        .collect();
    if let (true, Some(max_s)) = (lives.is_empty(), max_s) {
        lives.push(Life { word: String::new(), name: words::span(max_s), is_chosen: true });
    }
    let find = |wanted: &str| lives.iter().position(|life| life.word == wanted);
    let chosen = typed.and_then(find).or_else(|| find(USUAL)).unwrap_or(lives.len() - 1);
    lives[chosen].is_chosen = true;
    lives
}

impl Page for NewToken {
    const FILE: &'static str = "developer_new_token.html";

    fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    fn samples() -> Vec<(&'static str, Self)> {
        let permission = |word: &str, sentence: &str, is_chosen| Permission {
            word: word.to_owned(),
            sentence: sentence.to_owned(),
            is_chosen,
        };
        let api =
            |name: &str, is_here| Api { name: name.to_owned(), path: format!("{NEW_TOKEN}?dialect={name}"), is_here };
        let page = |scopes, apis| Self {
            account: Frame::sample(paths::DEVELOPER),
            apis,
            dialect: "standard".to_owned(),
            name: String::new(),
            scopes,
            lives: lives(None, None),
            is_carried: false,
            problem: None,
        };
        let scopes = |is_chosen| {
            vec![permission("profile", "See your name", false), permission("links:read", "Read your links", is_chosen)]
        };
        let apis = || vec![api("standard", false), api("paced", true)];
        let wrong = |no: No| Self {
            name: "Nightly \"export\"".to_owned(),
            lives: lives(None, Some("never")),
            problem: Some(Problem::new(&no.into())),
            ..page(scopes(true), Vec::new())
        };
        vec![
            ("developer_new_token", page(scopes(false), Vec::new())),
            ("developer_new_token_apis", page(Vec::new(), apis())),
            ("developer_new_token_wrong", Self { name: String::new(), ..wrong(No::NameMalformed) }),
            ("developer_new_token_scope", wrong(No::PersonalScopeUnknown)),
            ("developer_new_token_expires", wrong(No::PersonalExpiryMalformed)),
            ("developer_new_token_again", Self { problem: None, is_carried: true, ..wrong(No::NameMalformed) }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(max_s: Option<u64>, typed: Option<&str>) -> Vec<String> {
        let told = lives(max_s, typed).into_iter();
        told.map(|life| if life.is_chosen { format!("[{}]", life.word) } else { life.word }).collect()
    }

    #[test]
    fn no_lifetime_is_offered_that_the_surface_does_not_allow() {
        assert_eq!(offered(None, None), ["7d", "30d", "[90d]", "365d", "never"]);
        assert_eq!(offered(None, Some("never")), ["7d", "30d", "90d", "365d", "[never]"]);
        assert_eq!(offered(Some(40 * 86_400), None), ["7d", "[30d]"]);
        assert_eq!(offered(Some(3600), None), ["[]"]);
    }
}
