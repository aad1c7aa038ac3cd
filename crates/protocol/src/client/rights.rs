//! Rights that the operator gives a client beside its grants: introspection of other clients' tokens, and the accounts
//! API.

use crate::model::Introspection;
use crate::model::{Client, ClientKey, ClientKind};
use crate::resource_indicator;

impl Client {
    /// Returns true if introspection may describe a live token to this client. `issued_to` is the client that holds the
    /// token; a personal access token has none. `audience` lists the resources of the token; an empty list stands for every
    /// resource.
    ///
    /// A row without the setting is older than the setting, and keeps its earlier rights. A client that the operator
    /// registered may learn about every token that is not limited to resources of others. An application that a user
    /// registered may learn only about its own tokens.
    #[must_use]
    pub fn may_learn_of(&self, issued_to: Option<ClientKey>, audience: &[String]) -> bool {
        if issued_to == Some(self.key) || self.introspection == Some(Introspection::Any) {
            return true;
        }
        if audience.iter().any(|own| resource_indicator::is_among(&self.audience, own)) {
            return true;
        }
        // A token for every resource is also meant for the operator's APIs. An application that a user registered is
        // not told about it, even if the application is a resource.
        let is_api = self.introspection.is_none() || !self.audience.is_empty();
        audience.is_empty() && self.owner.is_none() && is_api
    }

    /// Returns true if the client may read and change accounts through the accounts API. A first-party client whose row is
    /// older than the right keeps it.
    #[must_use]
    pub fn may_use_accounts_api(&self) -> bool {
        self.kind == ClientKind::Confidential && self.accounts_api.unwrap_or(self.is_first_party)
    }

    /// Returns true if the client has the accounts API only because its row is older than the right.
    #[must_use]
    pub fn has_accounts_api_by_age(&self) -> bool {
        self.accounts_api.is_none() && self.may_use_accounts_api()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UserKey;
    use crate::sample;

    const API: &str = "https://api.example/";

    fn learns(client: &Client, issued_to: Option<ClientKey>, audience: &[&str]) -> bool {
        let audience: Vec<String> = audience.iter().map(|own| (*own).to_owned()).collect();
        client.may_learn_of(issued_to, &audience)
    }

    #[test]
    fn a_client_learns_of_its_own_tokens_and_of_those_for_its_resources() {
        let other = Some(ClientKey(77));
        let plain = Client { introspection: Some(Introspection::Own), ..sample::client() };
        assert!(learns(&plain, Some(plain.key), &[]) && learns(&plain, Some(plain.key), &[API]));
        assert!(!learns(&plain, other, &[]) && !learns(&plain, None, &[]) && !learns(&plain, other, &[API]));
        let api = Client { audience: vec![API.into()], ..plain.clone() };
        assert!(learns(&api, other, &[API]) && learns(&api, other, &["https://files.example/", API]));
        assert!(learns(&api, other, &[]) && learns(&api, None, &[]), "a token for every resource is for this one too");
        assert!(!learns(&api, other, &["https://files.example/"]));
    }

    #[test]
    fn only_the_operator_s_word_opens_every_token() {
        let any = Client { introspection: Some(Introspection::Any), ..sample::client() };
        assert!(learns(&any, Some(ClientKey(77)), &["https://files.example/"]) && learns(&any, None, &[]));
    }

    #[test]
    fn an_application_of_a_user_s_learns_of_no_token_that_does_not_name_it_whatever_its_row_says() {
        for introspection in [None, Some(Introspection::Own)] {
            for audience in [vec![], vec![API.to_owned()]] {
                let own = Client { owner: Some(UserKey(9)), introspection, audience, ..sample::client() };
                assert!(!learns(&own, Some(ClientKey(77)), &[]) && !learns(&own, None, &[]));
                assert!(learns(&own, Some(own.key), &[]));
            }
        }
    }

    #[test]
    fn rows_from_before_the_settings_keep_what_they_could_do() {
        let old = Client { is_first_party: true, ..sample::client() };
        assert!(learns(&old, Some(ClientKey(77)), &[]) && learns(&old, None, &[]));
        assert!(!learns(&old, Some(ClientKey(77)), &[API]));
        assert!(old.may_use_accounts_api() && old.has_accounts_api_by_age());
        let asked = Client { accounts_api: Some(false), ..old.clone() };
        assert!(!asked.may_use_accounts_api() && !asked.has_accounts_api_by_age());
        let public = Client { accounts_api: Some(true), kind: ClientKind::Public, ..old };
        assert!(!public.may_use_accounts_api());
    }

    #[test]
    fn a_row_without_the_settings_is_written_without_them() {
        let document = serde_json::to_value(sample::client()).unwrap();
        assert!(document.get("introspection").is_none() && document.get("accounts_api").is_none());
        let own = Client { introspection: Some(Introspection::Own), accounts_api: Some(true), ..sample::client() };
        let document = serde_json::to_value(&own).unwrap();
        assert_eq!(serde_json::from_value::<Client>(document).unwrap(), own);
    }
}
