//! Paths of pages that other pages lead to, below the path of the issuer, and the navigation of one's own pages.

/// Asks who is at the browser.
pub(super) const SIGN_IN: &str = "/sign-in";
/// Asks for a code of the second factor.
pub(super) const SECOND_FACTOR: &str = "/second-factor";
/// Asks whether an application may have access.
pub(super) const CONSENT: &str = "/consent";
/// Sends the browser to Google.
pub(super) const GOOGLE: &str = "/login/google";
/// Takes the browser in when it comes back from Google.
pub(super) const GOOGLE_CALLBACK: &str = "/login/google/callback";
/// Ends the session.
pub(super) const SIGN_OUT: &str = "/logout";

/// The first page of one's own account. A sign-in without another destination leads here.
pub(super) const ACCOUNT: &str = "/account";
/// The password.
pub(super) const ACCOUNT_PASSWORD: &str = "/account/password";
/// The second factor and its recovery codes.
pub(super) const ACCOUNT_SECOND_FACTOR: &str = "/account/second-factor";
/// The sessions.
pub(super) const ACCOUNT_SESSIONS: &str = "/account/sessions";
/// The applications that may act for the user.
pub(super) const ACCOUNT_APPLICATIONS: &str = "/account/applications";

/// The first page of the developer area.
pub(super) const DEVELOPER: &str = "/developer";

/// The pages that stand in the navigation: address and name.
pub(super) const TABS: [(&str, &str); 5] = [
    (ACCOUNT, "Profile"),
    (ACCOUNT_PASSWORD, "Password"),
    (ACCOUNT_SECOND_FACTOR, "Second factor"),
    (ACCOUNT_SESSIONS, "Sessions"),
    (ACCOUNT_APPLICATIONS, "Applications"),
];

/// The tab of the developer area, where the operator lets people register applications.
pub(super) const DEVELOPER_TAB: (&str, &str) = (DEVELOPER, "Developer");

/// True if this is the path of a page of the account.
pub(super) fn is_account_page(path: &str) -> bool {
    TABS.iter().any(|(own, _)| *own == path)
}

/// What the path of an application's page has before its client_id.
pub(crate) const APPLICATIONS: &str = "/developer/applications/";

/// The path of an application's page. A client_id may hold anything that ASCII can print.
pub(crate) fn application(client_id: &str) -> String {
    let name: String = form_urlencoded::byte_serialize(client_id.as_bytes()).collect();
    format!("{APPLICATIONS}{name}")
}
