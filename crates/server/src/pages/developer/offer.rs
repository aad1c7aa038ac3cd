//! What surfaces let users do without the operator, and how surfaces are named on pages.

use std::sync::Arc;

use dialect::Dialect;
use protocol::developer::Lifetime;
use protocol::policy::Policy;
use protocol::refusal::No;

use crate::app::App;
use crate::config::value::duration;

/// True if users may register applications on a surface with this policy.
pub(super) fn may_register(policy: &Policy) -> bool {
    policy.client.is_self_service
}

/// True if users may make personal access tokens on a surface with this policy.
pub(super) fn may_have_tokens(policy: &Policy) -> bool {
    policy.is_personal_offered
}

/// Returns the surfaces for whose policy `may` returns true.
pub(super) fn offered(app: &App, may: fn(&Policy) -> bool) -> Vec<(&Dialect, &Arc<Policy>)> {
    let all = app.dialects.iter().map(|dialect| (dialect, &app.surface(dialect).policy));
    all.filter(|(_, policy)| may(policy)).collect()
}

/// Returns the policy of the chosen surface; of the first one if `name` is empty.
pub(super) fn chosen(offered: &[(&Dialect, &Arc<Policy>)], name: &str) -> Result<Arc<Policy>, No> {
    let found = offered.iter().find(|(dialect, _)| name.is_empty() || dialect.name == name);
    found.map(|(_, policy)| Arc::clone(policy)).ok_or(No::DialectNotOffered)
}

/// Returns the name of a surface for users. The standard surface is called by the provider's name. Other surfaces are
/// called by the dialect and the host.
pub(super) fn api_name(app: &App, dialect: &Dialect) -> String {
    if dialect.name == "standard" {
        return format!("{} API", app.settings.brand.name);
    }
    let place = dialect.base_url.split_once("://").map_or(dialect.base_url.as_str(), |(_, place)| place);
    format!("{} API at {place}", dialect.name)
}

/// Parses the lifetime of a form; `None` if the text is malformed.
pub(super) fn lifetime(text: &str) -> Option<Lifetime> {
    match text {
        "" => Some(Lifetime::Usual),
        "never" => Some(Lifetime::Never),
        _ => duration(text).map(Lifetime::Seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_duration_or_never() {
        assert_eq!(lifetime(""), Some(Lifetime::Usual));
        assert_eq!(lifetime("never"), Some(Lifetime::Never));
        assert_eq!(lifetime("30d"), Some(Lifetime::Seconds(30 * 86_400)));
        assert_eq!([lifetime("tomorrow"), lifetime("-1d"), lifetime("30")], [None; 3]);
    }
}
