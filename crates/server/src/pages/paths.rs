//! Paths of pages that other pages lead to, and the navigation of the pages for signed-in users. All are below the path
//! of the issuer.

/// The sign-in page.
pub(super) const SIGN_IN: &str = "/sign-in";
/// The second-factor page.
pub(super) const SECOND_FACTOR: &str = "/second-factor";
/// The consent page.
pub(super) const CONSENT: &str = "/consent";
/// Redirects the browser to Google.
pub(super) const GOOGLE: &str = "/login/google";
/// The redirect URI for the browser that comes back from Google.
pub(super) const GOOGLE_CALLBACK: &str = "/login/google/callback";
/// The page that ends the session.
pub(super) const SIGN_OUT: &str = "/logout";

/// The profile page. A sign-in without another destination leads here.
pub(super) const ACCOUNT: &str = "/account";
/// The page about the password.
pub(super) const ACCOUNT_PASSWORD: &str = "/account/password";
/// The page about the second factor and its recovery codes.
pub(super) const ACCOUNT_SECOND_FACTOR: &str = "/account/second-factor";
/// The page with the user's sessions.
pub(super) const ACCOUNT_SESSIONS: &str = "/account/sessions";
/// The page with the applications that have access to the account.
pub(super) const ACCOUNT_APPLICATIONS: &str = "/account/applications";

/// The first developer page.
pub(super) const DEVELOPER: &str = "/developer";

/// The account pages in the navigation: path and name.
pub(super) const TABS: [(&str, &str); 5] = [
    (ACCOUNT, "Profile"),
    (ACCOUNT_PASSWORD, "Password"),
    (ACCOUNT_SECOND_FACTOR, "Second factor"),
    (ACCOUNT_SESSIONS, "Sessions"),
    (ACCOUNT_APPLICATIONS, "Applications"),
];

/// The developer pages in the navigation, if the operator offers them.
pub(super) const DEVELOPER_TAB: (&str, &str) = (DEVELOPER, "Developer");

/// Returns true for the path of an account page.
pub(super) fn is_account_page(path: &str) -> bool {
    TABS.iter().any(|(own, _)| *own == path)
}
