//! The `oauth2` crate: a public client, secrets in the header and in the body,
//! client_credentials, introspection and revocation.

mod checks;

use checks::{Checked, Client, Journey, person, userinfo, userinfo_names_the_person};
use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IntrospectionUrl, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RevocationUrl, Scope,
    StandardRevocableToken, TokenIntrospectionResponse, TokenResponse, TokenUrl,
};

/// A client of which every address but the device's is known.
type Known = BasicClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointSet>;

struct Flow {
    name: &'static str,
    oauth: Known,
    client: Client,
}

impl Flow {
    fn new(name: &'static str, client: Client, auth_type: AuthType) -> Checked<Self> {
        let issuer = checks::issuer();
        // The crate insists on https for revocation alone; `send` below brings it back to the loopback's plain HTTP.
        let revoke = format!("{}/oauth/revoke", issuer.replace("http:", "https:"));
        let mut oauth = BasicClient::new(ClientId::new(client.id.clone()))
            .set_auth_type(auth_type)
            .set_auth_uri(AuthUrl::new(format!("{issuer}/oauth/authorize"))?)
            .set_token_uri(TokenUrl::new(format!("{issuer}/oauth/token"))?)
            .set_introspection_url(IntrospectionUrl::new(format!("{issuer}/oauth/introspect"))?)
            .set_revocation_url(RevocationUrl::new(revoke)?)
            .set_redirect_uri(RedirectUrl::new(client.redirect_uri.clone())?);
        if !client.secret.is_empty() {
            oauth = oauth.set_client_secret(ClientSecret::new(client.secret.clone()));
        }
        Ok(Self { name, oauth, client })
    }

    /// Everything that a client with a person in front of it does; a confidential one also introspects.
    fn walk(&self, journey: &mut Journey) -> Option<()> {
        let (code, verifier) = self.sign_in(journey)?;
        let tokens = journey.check(self.name, "the code is exchanged for tokens", || {
            let request = self.oauth.exchange_code(code).set_pkce_verifier(verifier);
            let tokens: BasicTokenResponse = request.request(&send)?;
            tokens.expires_in().ok_or("no expires_in")?;
            Ok(tokens)
        })?;
        journey.check(self.name, "userinfo names the person", || {
            userinfo_names_the_person(tokens.access_token().secret())
        })?;
        let rotated = journey.check(self.name, "the refresh token is rotated", || {
            let spent = tokens.refresh_token().ok_or("no refresh token")?;
            let rotated: BasicTokenResponse = self.oauth.exchange_refresh_token(spent).request(&send)?;
            let fresh = rotated.refresh_token().ok_or("no new refresh token")?;
            if fresh.secret() == spent.secret() { Err("the same refresh token came back".into()) } else { Ok(rotated) }
        })?;
        if !self.client.secret.is_empty() {
            self.introspect(journey, &rotated)?;
        }
        journey.check(self.name, "userinfo refuses with 401 after the access token was revoked", || {
            let token = StandardRevocableToken::from(rotated.access_token());
            self.oauth.revoke_token(token)?.request(&send)?;
            match userinfo(rotated.access_token().secret())? {
                (401, _) => Ok(()),
                (status, _) => Err(format!("userinfo answered {status}").into()),
            }
        })
    }

    fn sign_in(&self, journey: &mut Journey) -> Option<(AuthorizationCode, PkceCodeVerifier)> {
        journey.check(self.name, "the redirect carries the state and the issuer", || {
            let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
            let (url, state) = self
                .oauth
                .authorize_url(CsrfToken::new_random)
                .add_scopes(["profile", "email", "links:read"].map(|scope| Scope::new(scope.into())))
                .set_pkce_challenge(challenge)
                .url();
            let mut back = person(url.as_str())?;
            if back.get("state") != Some(state.secret()) {
                return Err(format!("state is {:?}", back.get("state")).into());
            }
            if back.get("iss") != Some(&checks::issuer()) {
                return Err(format!("iss is {:?}", back.get("iss")).into());
            }
            Ok((AuthorizationCode::new(back.remove("code").ok_or("no code")?), verifier))
        })
    }

    fn introspect(&self, journey: &mut Journey, tokens: &BasicTokenResponse) -> Option<()> {
        journey.check(self.name, "introspection says active", || {
            let answer = self.oauth.introspect(tokens.access_token()).request(&send)?;
            match answer.client_id() {
                Some(id) if answer.active() && **id == self.client.id => Ok(()),
                other => Err(format!("active {}, client_id {other:?}", answer.active()).into()),
            }
        })
    }

    fn machine(&self, journey: &mut Journey) -> Option<()> {
        let tokens = journey.check(self.name, "client_credentials gives a token without a refresh token", || {
            let request = self.oauth.exchange_client_credentials().add_scope(Scope::new("links:read".into()));
            let tokens: BasicTokenResponse = request.request(&send)?;
            if tokens.refresh_token().is_some() { Err("a refresh token came along".into()) } else { Ok(tokens) }
        })?;
        self.introspect(journey, &tokens)
    }
}

/// Sends one request of the crate, on loopback always in plain HTTP.
fn send(mut request: HttpRequest) -> Result<HttpResponse, ureq::Error> {
    let plain = request.uri().to_string().replace("https://localhost:", "http://localhost:");
    *request.uri_mut() = plain.parse().map_err(ureq::http::Error::from)?;
    let (parts, mut body) = checks::http().run(request)?.into_parts();
    Ok(HttpResponse::from_parts(parts, body.read_to_vec()?))
}

fn main() -> Checked<()> {
    let mut journey = Journey::default();
    Flow::new("oauth2 public", Client::named("public")?, AuthType::RequestBody)?.walk(&mut journey);
    Flow::new("oauth2 basic", Client::named("basic")?, AuthType::BasicAuth)?.walk(&mut journey);
    Flow::new("oauth2 post", Client::named("post")?, AuthType::RequestBody)?.walk(&mut journey);
    Flow::new("oauth2 machine", Client::named("machine")?, AuthType::BasicAuth)?.machine(&mut journey);
    std::process::exit(i32::from(journey.has_failed()));
}
