//! The table of refusals: every reason for which this server refuses a request.
//!
//! The name and the meaning are for the operator, the text is for the client. Several refusals share one text if the
//! difference would help an attacker. Documentation, metrics and the error maps of dialects are made from this table.

use crate::names::NameFault;
use crate::quoted::Quoted;
use crate::wire::{Param, names};

names! {
    /// The kinds of error. A dialect may choose the error code, the status and the text of each kind.
    ErrorKind {
        /// RFC 6749 §5.2
        InvalidRequest = "invalid_request",
        /// RFC 6749 §5.2
        InvalidClient = "invalid_client",
        /// An authorization request with an unknown `client_id`; RFC 6749 §4.1.2.1 has no code for it. A dialect
        /// without a code of its own uses that of `invalid_request`.
        UnknownClient = "unknown_client",
        /// RFC 6749 §5.2
        InvalidGrant = "invalid_grant",
        /// A wrong name or password; `invalid_grant` in RFC 6749 §5.2
        InvalidCredentials = "invalid_credentials",
        /// The password was right, but the second factor is missing or wrong; no RFC has a code
        OtpNeeded = "otp_needed",
        /// RFC 6749 §5.2
        UnauthorizedClient = "unauthorized_client",
        /// RFC 6749 §5.2
        UnsupportedGrantType = "unsupported_grant_type",
        /// RFC 6749 §4.1.2.1
        UnsupportedResponseType = "unsupported_response_type",
        /// OpenID Connect Core §3.1.2.6
        InvalidRequestUri = "invalid_request_uri",
        /// RFC 9101 §7
        InvalidRequestObject = "invalid_request_object",
        /// RFC 6749 §5.2
        InvalidScope = "invalid_scope",
        /// RFC 8707 §2
        InvalidTarget = "invalid_target",
        /// RFC 6749 §4.1.2.1
        AccessDenied = "access_denied",
        /// OpenID Connect Core §3.1.2.6
        LoginRequired = "login_required",
        /// OpenID Connect Core §3.1.2.6
        InteractionRequired = "interaction_required",
        /// OpenID Connect Core §3.1.2.6
        ConsentRequired = "consent_required",
        /// OpenID Connect Core Error Code unmet_authentication_requirements 1.0
        UnmetAuthenticationRequirements = "unmet_authentication_requirements",
        /// RFC 6750 §3.1
        InvalidToken = "invalid_token",
        /// RFC 6750 §3.1
        InsufficientScope = "insufficient_scope",
        /// RFC 7009 §2.2.1
        UnsupportedTokenType = "unsupported_token_type",
        /// Too many failed attempts to sign in; no RFC has a code
        LockedOut = "locked_out",
        /// Too many requests; no RFC has a code
        RateLimited = "rate_limited",
        /// No endpoint has this path
        NotFound = "not_found",
        /// The endpoint does not accept this HTTP method
        MethodNotAllowed = "method_not_allowed",
        /// RFC 6749 §4.1.2.1
        TemporarilyUnavailable = "temporarily_unavailable",
        /// RFC 6749 §4.1.2.1
        ServerError = "server_error",
    }
}

/// Declares the refusals: name, kind, defining RFC, text for the client, and meaning for the operator. A sixth column holds a
/// longer text for the client.
macro_rules! refusals {
    (@detail) => { None };
    (@detail $detail:literal) => { Some($detail) };
    ($($name:ident, $kind:ident, $rfc:literal, $text:literal, $meaning:literal $(, $detail:literal)?;)*) => {
        /// A reason to refuse a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum No { $(#[doc = $meaning] $name,)* }

        /// All refusals.
        pub const TABLE: &[Row] = &[$(Row {
            no: No::$name,
            name: stringify!($name),
            kind: ErrorKind::$kind,
            rfc: $rfc,
            text: $text,
            meaning: $meaning,
            detail: refusals!(@detail $($detail)?),
        },)*];
    };
}

/// A row of the table of refusals.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The refusal.
    pub no: No,
    /// The refusal's name, for logs, metrics and documentation.
    pub name: &'static str,
    /// The kind of error on the wire.
    pub kind: ErrorKind,
    /// The RFC and section that defines the error.
    pub rfc: &'static str,
    /// The text for the client. `{}` stands for the faulty parameter, `{value}` for the faulty value.
    pub text: &'static str,
    /// The explanation for the operator.
    pub meaning: &'static str,
    /// A longer text for the client, which names the faulty value and the next step. `None` if `text` says enough. `{}` stands
    /// for the parameter, `{value}` for the value and `{choices}` for what would be accepted. A part in square brackets is left
    /// out if it has a placeholder for something that is not known.
    pub detail: Option<&'static str>,
}

refusals! {
    ParameterMissing, InvalidRequest, "RFC 6749 §5.2", "The parameter {} is missing.", "A required parameter was not sent.";
    ParameterInQuery, InvalidRequest, "RFC 6749 §3.2", "The parameter {} is missing.", "A required parameter was sent in the query of the URL, where the endpoint does not read it.", "The parameter {} is in the query of the URL, where this endpoint does not read it. Send it in the request body.";
    ParameterRepeated, InvalidRequest, "RFC 6749 §3.1", "The parameter {} was sent more than once.", "A parameter came twice, in one place or in two.", "The parameter {} was sent more than once. Send it once, in one place.";
    ParameterMalformed, InvalidRequest, "RFC 6749 §5.2", "The parameter {} is malformed.", "A value cannot be what it should be.", "The parameter {} is malformed. Check its form, its characters and its percent-encoding.";
    ParameterTooLong, InvalidRequest, "RFC 9110 §15.5.14", "The parameter {} is too long: a value may have at most 8192 bytes.", "A value is over the limit.";
    BodyMalformed, InvalidRequest, "RFC 6749 §5.2", "The request body cannot be read as its Content-Type says.", "Broken encoding of the body.", "The request body cannot be read as its Content-Type says. Check the encoding of the body.";
    BodyTypeUnknown, InvalidRequest, "RFC 6749 §3.2", "The Content-Type of the request body is not one that this endpoint reads.", "A body of another media type.", "The Content-Type of the request body[, {value},] is not one that this endpoint reads[. Send the body as {choices}, and name that type in the Content-Type header].";
    QueryMalformed, InvalidRequest, "RFC 6749 §3.1", "The query of the request cannot be read.", "Broken encoding of the query.";
    RequestTooLarge, InvalidRequest, "RFC 9110 §15.5.14", "The request is too large.", "A body, a parameter, or the number of parameters is over the limit.";
    AuthorizationMalformed, InvalidRequest, "RFC 6750 §3.1", "The Authorization header cannot be read.", "Not a token, or more than one such header.", "The Authorization header cannot be read. Send one such header, with a scheme and one token.";
    TokenSentTwice, InvalidRequest, "RFC 6750 §2", "The access token was sent in more than one way.", "A token in two places at once.", "The access token was sent in more than one way. Send it once, in the Authorization header.";
    ClientHeaderMalformed, InvalidClient, "RFC 6749 §5.2", "Client authentication failed.", "An Authorization header that is not well-formed Basic.";
    ClientUnknown, InvalidClient, "RFC 6749 §5.2", "Client authentication failed.", "No client has this client_id on this surface.";
    ClientDisabled, InvalidClient, "RFC 6749 §5.2", "Client authentication failed.", "The client is disabled.";
    ClientSecretWrong, InvalidClient, "RFC 6749 §5.2", "Client authentication failed.", "The secret is none of the client's.";
    ClientSecretMissing, InvalidClient, "RFC 6749 §5.2", "Client authentication failed.", "A confidential client sent no secret.";
    ClientLockedOut, RateLimited, "OWASP ASVS 5.0 V6.3.1", "Too many failed attempts of this client from this address. Wait and try again.", "Too many wrong client secrets for this client_id from this address, or from the address; nothing was compared.";
    ClientRegisteredForPost, InvalidClient, "RFC 6749 §2.3", "This client is registered for client_secret_post: send client_id and client_secret in the request body.", "The secret was right, but came in the Authorization header.";
    ClientRegisteredForBasic, InvalidClient, "RFC 6749 §2.3", "This client is registered for client_secret_basic: send the client ID and the secret in the Authorization header.", "The secret was right, but came in the request body.";
    ClientAuthMethodRefused, InvalidClient, "RFC 6749 §2.3", "Client authentication failed.", "The client proved itself by a method that it is not registered for.";
    ClientMissing, InvalidClient, "RFC 6749 §3.2.1", "Client authentication is required.", "The request does not say which client makes it.", "Client authentication is required. Send the client ID and the secret in an Authorization: Basic header, or as client_id and client_secret in the request body.";
    ClientInQuery, InvalidClient, "RFC 6749 §2.3.1", "Client authentication is required.", "The client credentials were sent in the query of the URL, where the endpoint does not read them.", "Client authentication is required. The client credentials are in the query of the URL, where this endpoint does not read them. Send them in the Authorization header or in the request body.";
    ClientIdsDiffer, InvalidRequest, "RFC 6749 §2.3", "The client ID in the Authorization header and the client_id in the request body differ.", "Two names of the client in one request.", "The client ID in the Authorization header and the client_id in the request body differ. Send the same client ID in both places, or leave client_id out.";
    ClientAuthTwice, InvalidRequest, "RFC 6749 §2.3", "Client credentials were sent by more than one method.", "Credentials in the header and in the body.", "Client credentials were sent both in the Authorization header and in the request body. Send them in one of the two.";
    ClientAssertionTypeUnknown, InvalidClient, "RFC 7521 §4.2", "The client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer.", "An assertion of a kind that this server does not read.";
    ClientAssertionMalformed, InvalidClient, "RFC 7523 §3", "The client_assertion is malformed.", "The assertion is no signed JWT, or lacks a claim, or its issuer is not its subject.", "The client_assertion is malformed. Send a signed JWT with the claims iss, sub, aud, exp and jti, of which iss and sub are the client_id.";
    ClientAssertionAlgorithm, InvalidClient, "RFC 7518 §3.1", "The client_assertion is signed by an algorithm that is not supported.", "An algorithm such as none, HS512 or ES384.", "The client_assertion is signed by an algorithm that is not supported. Supported: RS256, PS256, ES256, EdDSA, HS256.";
    ClientAssertionOfOther, InvalidClient, "RFC 7521 §4.2", "The client_id is not the subject of the client_assertion.", "Two names of the client in one request.", "The client_id is not the subject (sub) of the client_assertion. Send the same client ID in both places, or leave client_id out.";
    ClientAssertionBesideSecret, InvalidRequest, "RFC 6749 §2.3", "Client credentials were sent by more than one method.", "An assertion beside a client secret.", "A client_assertion and a client secret were sent. Send one of the two.";
    ClientAssertionForOther, InvalidClient, "RFC 7523 §3", "The client_assertion is for another audience.", "The audience of the assertion is not this server, or not this server alone.", "The client_assertion is for another audience. Its claim aud must be the issuer[, {choices},] and nothing else.";
    ClientAssertionForEndpoint, InvalidClient, "RFC 7523 §3", "The client_assertion is for an endpoint, and this client is registered for the issuer.", "The assertion was right, but its audience is the URL of an endpoint, which the setting `assertion_audience` of the client does not allow.", "The client_assertion is for an endpoint, and this client is registered to name the issuer. Its claim aud must be the issuer[, {choices}].";
    ClientAssertionExpired, InvalidClient, "RFC 7523 §3", "The client_assertion has expired.", "The time in `exp` has passed, or `iat` is more than an hour ago.", "The client_assertion has expired. Make a new one for each request, and check the clock of the client.";
    ClientAssertionEarly, InvalidClient, "RFC 7523 §3", "The client_assertion is not valid yet.", "The time in `nbf` or `iat` is in the future.", "The client_assertion is not valid yet, by its claims nbf and iat. Check the clock of the client.";
    ClientAssertionTooLong, InvalidClient, "RFC 7523 §3", "The client_assertion is valid for too long.", "The time in `exp` is more than an hour away.", "The client_assertion is valid for too long. Set exp to at most 3600 seconds from now; 60 are enough.";
    ClientAssertionForged, InvalidClient, "RFC 7523 §3", "Client authentication failed.", "No key or secret of the client made the signature of the assertion.";
    ClientKeyUnknown, InvalidClient, "RFC 7523 §3", "Client authentication failed.", "The client has no key with the `kid` and the algorithm of the assertion.";
    ClientKeysUnavailable, InvalidClient, "RFC 7523 §3", "Client authentication failed.", "The public keys of the client cannot be fetched from its `jwks_uri`, or it has none.";
    ClientSecretNotKept, InvalidClient, "OpenID Connect Core §9", "Client authentication failed.", "The client signs with its secret, but all its secrets are older than its registration for client_secret_jwt. Give it a new one by `grantry client rotate-secret`.";
    ClientAssertionReplayed, InvalidClient, "OpenID Connect Core §9", "The client_assertion was used before.", "The `jti` of the assertion is that of an earlier one.", "The client_assertion was used before. Make a new one, with a new jti, for each request.";
    ClientNotConfidential, InvalidClient, "RFC 7662 §2.1", "Client authentication failed.", "A public client asked what only a confidential one may.";
    GrantTypeUnknown, UnsupportedGrantType, "RFC 6749 §5.2", "This grant_type is not supported.", "The surface does not offer the grant.", "The grant_type[ {value}] is not supported here[. Supported: {choices}].";
    GrantTypeNotAllowed, UnauthorizedClient, "RFC 6749 §5.2", "This client may not use this grant_type.", "The client is not registered for the grant.", "This client may not use the grant_type[ {value}][. It may use: {choices}]. The registration of the client has to allow it.";
    CodeUnknown, InvalidGrant, "RFC 6749 §5.2", "The code is invalid, expired, or was issued to another client.", "Not a code of this server, or long gone.", "The code is invalid, expired, used before, or was issued to another client. A code works once and soon expires: send the user to the authorization endpoint for a new one.";
    CodeExpired, InvalidGrant, "RFC 6749 §4.1.2", "The code is invalid, expired, or was issued to another client.", "The code is too old.", "The code is invalid, expired, used before, or was issued to another client. A code works once and soon expires: send the user to the authorization endpoint for a new one.";
    CodeOfOtherClient, InvalidGrant, "RFC 6749 §4.1.3", "The code is invalid, expired, or was issued to another client.", "The code was issued to another client.", "The code is invalid, expired, used before, or was issued to another client. A code works once and soon expires: send the user to the authorization endpoint for a new one.";
    CodeReplayed, InvalidGrant, "RFC 6749 §4.1.2", "The code is invalid, expired, or was issued to another client.", "The code was used before; what it gave has been revoked.", "The code is invalid, expired, used before, or was issued to another client. A code works once and soon expires: send the user to the authorization endpoint for a new one.";
    RedirectUriNotRepeated, InvalidGrant, "RFC 6749 §4.1.3", "The parameter redirect_uri is missing: the authorization request had one, so the token request must repeat it.", "The redirect_uri is missing at the token endpoint.";
    RedirectUriMismatch, InvalidGrant, "RFC 6749 §4.1.3", "The redirect_uri is not the one of the authorization request.", "The redirect_uri at the token endpoint differs.", "The redirect_uri[ {value}] is not the one of the authorization request. Send exactly the same value in both requests.";
    VerifierMissing, InvalidGrant, "RFC 7636 §4.6", "The code_verifier is missing.", "The authorization request had a challenge; the token request proves nothing.", "The code_verifier is missing. The authorization request had a code_challenge, so the token request must send its code_verifier.";
    VerifierWrong, InvalidGrant, "RFC 7636 §4.6", "The code_verifier does not match the code_challenge.", "The verifier does not match the challenge.", "The code_verifier does not match the code_challenge of the authorization request. The challenge is BASE64URL(SHA256(code_verifier)), without padding.";
    VerifierUnexpected, InvalidGrant, "RFC 9700 §2.1.1", "A code_verifier was sent, but the authorization request had no code_challenge.", "A verifier without a challenge: somebody removed the challenge.";
    GrantRevoked, InvalidGrant, "RFC 6749 §5.2", "The grant was revoked.", "The grant was revoked by the user, the client or the operator.";
    GrantUserGone, InvalidGrant, "RFC 6749 §5.2", "The grant is no longer valid.", "The user is disabled or deleted, or signed out everywhere.";
    RefreshUnknown, InvalidGrant, "RFC 6749 §5.2", "The refresh token is invalid, expired, or was issued to another client.", "Not a refresh token of this server, or long gone.";
    RefreshExpired, InvalidGrant, "RFC 6749 §5.2", "The refresh token is invalid, expired, or was issued to another client.", "The refresh token was idle too long or is too old.";
    RefreshOfOtherClient, InvalidGrant, "RFC 6749 §6", "The refresh token is invalid, expired, or was issued to another client.", "The refresh token was issued to another client.";
    RefreshReplayed, InvalidGrant, "RFC 9700 §4.14.2", "The refresh token is invalid, expired, or was issued to another client.", "An old refresh token came back; the grant has been revoked.";
    RefreshRetryDiffers, InvalidGrant, "RFC 6749 §6", "This refresh token was exchanged a moment ago, with another scope or resource. Repeat that request, or use the new refresh token.", "A public client repeated a refresh, but asked for something else than the first time.";
    RefreshAhead, InvalidGrant, "RFC 6749 §5.2", "The refresh token is invalid, expired, or was issued to another client.", "The refresh token is newer than what the store knows: the store was restored from a backup, or a standby that lagged took over. Nothing was revoked; the user has to connect the application again.";
    ScopeUnknown, InvalidScope, "RFC 6749 §3.3", "The scope is unknown, malformed, or more than this client may ask for.", "A scope that does not exist on this surface.", "The scope[ {value}] does not exist here[. This client may ask for: {choices}].";
    ScopeNotAllowed, InvalidScope, "RFC 6749 §3.3", "The scope is unknown, malformed, or more than this client may ask for.", "A scope that the client is not registered for.", "This client may not ask for the scope[ {value}][. It may ask for: {choices}].";
    ScopeWider, InvalidScope, "RFC 6749 §6", "The scope exceeds what was granted.", "A refresh asked for more than the grant allows.", "The scope[ {value}] was not granted[. Granted: {choices}]. A refresh cannot add a scope: send the user through a new authorization request.";
    ResourceUnknown, InvalidTarget, "RFC 8707 §2", "The resource {value} is unknown, malformed, or not part of the grant.", "A resource that is not in the configuration.";
    ResourceNotGranted, InvalidTarget, "RFC 8707 §2.2", "The resource {value} is unknown, malformed, or not part of the grant.", "A resource that the grant does not cover.";
    CredentialsWrong, InvalidCredentials, "RFC 6749 §4.3.2", "The user name or the password is wrong.", "Unknown user, wrong password, or an account without a password.";
    UserDisabled, InvalidCredentials, "RFC 6749 §4.3.2", "The user name or the password is wrong.", "The account is disabled.";
    LockedOut, LockedOut, "RFC 6749 §4.3.2", "Too many failed attempts. Wait and try again.", "Too many failures of this caller: against one name from one address, from the address, from a known device, or at the second factor.";
    SecondFactorMissing, OtpNeeded, "RFC 6749 §4.3.2", "A code of the second factor is required.", "The password was right; the account has a second factor.";
    SecondFactorWrong, OtpNeeded, "RFC 6238 §5.2", "The code of the second factor is wrong or was used before.", "A wrong, old or repeated code.";
    AssertionMalformed, InvalidGrant, "RFC 7523 §3.1", "The assertion is invalid or expired.", "Not a JWT with the claims of an ID token, of another kind, too long, or with a critical extension.";
    AssertionAlgorithmRefused, InvalidGrant, "RFC 8725 §3.1", "The assertion is invalid or expired.", "Signed by another algorithm than RS256, ES256 or EdDSA, or not at all.";
    AssertionKeyUnknown, InvalidGrant, "RFC 7515 §4.1.4", "The assertion is invalid or expired.", "The issuer has no key by that name for that algorithm.";
    AssertionForged, InvalidGrant, "RFC 7523 §3", "The assertion is invalid or expired.", "The signature is not the issuer's.";
    AssertionOfOtherIssuer, InvalidGrant, "RFC 7523 §3", "The assertion is invalid or expired.", "Another issuer made it.";
    AssertionForOther, InvalidGrant, "RFC 7523 §3", "The assertion is invalid or expired.", "It was made for another client of the issuer; does the application use the same client_id there as this server?";
    AssertionExpired, InvalidGrant, "RFC 7523 §3", "The assertion is invalid or expired.", "It is too old.";
    AssertionTooEarly, InvalidGrant, "RFC 7523 §3", "The assertion is invalid or expired.", "It begins in the future; check the clock of this machine.";
    AssertionNonceWrong, InvalidGrant, "OpenID Connect Core §3.1.3.7", "The assertion is invalid or expired.", "It belongs to another authentication request.";
    AssertionReplayed, InvalidGrant, "RFC 7523 §3", "The assertion is invalid or expired.", "It was exchanged before, and is good once; the application must ask its user to sign in at the issuer again.";
    UpstreamAbsent, UnsupportedGrantType, "RFC 6749 §5.2", "Signing in by this issuer is not configured on this server.", "There is no [upstream.google] in the configuration.";
    UpstreamUnreachable, TemporarilyUnavailable, "RFC 9110 §15.6.4", "The issuer cannot be reached at the moment. Try again.", "The issuer's configuration, keys or token endpoint do not answer as they should; the log says why.";
    UpstreamRefused, AccessDenied, "RFC 6749 §5.2", "The issuer refused to say who you are. Try again.", "The issuer answered with an error; the log has its word.";
    UpstreamDenied, AccessDenied, "RFC 6749 §4.1.2.1", "You did not allow the issuer to say who you are.", "The user pressed Cancel at the issuer.";
    UpstreamStale, InvalidRequest, "RFC 6749 §10.12", "This sign-in took too long, or began in another browser. Go back to the application and start again.", "A state that does not open: expired, of another browser, or forged.";
    UpstreamTooLong, InvalidRequest, "RFC 9110 §4.1", "This request is too long to be taken along to the issuer. Sign in with your password.", "The sealed request does not fit into a URL.";
    UpstreamEmailUnverified, InvalidGrant, "OWASP ASVS 5.0 V6.8", "The issuer has not verified your e-mail address.", "An ID token without an e-mail address, or with one that the issuer does not vouch for.";
    UpstreamEmailTaken, InvalidGrant, "OWASP ASVS 5.0 V6.8", "There is an account with this e-mail address, and nothing proves that both are yours. Sign in to it with its password, or ask the operator of this server to verify the address.", "Not linked: the address was never verified here, so that whoever registered it first could have prepared the account for somebody else; or the issuer does not know whose it is today.";
    UpstreamEmailForeign, InvalidGrant, "RFC 6531 §3.3", "The issuer gives an e-mail address with characters outside of ASCII. This server takes no such address. Use an account there with another address.", "The e-mail address of an ID token has characters outside of ASCII. It is refused before it is compared with anything, because some of them become an ASCII letter in lower case.";
    UpstreamEmailMalformed, InvalidGrant, "RFC 5321 §4.1.2", "The issuer gives an e-mail address that this server does not accept. Use an account there with another address.", "The e-mail address of an ID token has more than one @. No account here can have such an address, so none is made.";
    UpstreamSignUpClosed, InvalidGrant, "OWASP ASVS 5.0 V6.8", "There is no account for you on this server, and signing in by way of the issuer does not make one. Ask the operator of this server for an account.", "The identity is linked to no account, and `upstream.google.sign_up` does not let it have one.";
    UpstreamNotFresh, LoginRequired, "OpenID Connect Core §3.1.2.1", "The issuer does not say that you proved who you are just now. Sign in with your password.", "A sign-in that had to be fresh (`prompt=login`, `max_age`, a change of the account) came back from the issuer without an `auth_time`, or with an old one.";
    UpstreamUserDisabled, InvalidGrant, "RFC 6749 §5.2", "This account is disabled.", "The account behind the identity is disabled or gone.";
    TokenMissing, InvalidToken, "RFC 6750 §3.1", "An access token is required.", "A protected address was asked without a token.", "An access token is required. Send it in an Authorization: Bearer header.";
    TokenUnknown, InvalidToken, "RFC 6750 §3.1", "The access token is invalid, expired or revoked.", "Not a token of this surface, or long gone.";
    TokenExpired, InvalidToken, "RFC 6750 §3.1", "The access token is invalid, expired or revoked.", "The token is too old.";
    TokenRevoked, InvalidToken, "RFC 6750 §3.1", "The access token is invalid, expired or revoked.", "The token, its grant, its client or its user is gone.";
    TokenWithoutUser, InvalidToken, "OpenID Connect Core §5.3.1", "The access token speaks for no user.", "A client_credentials token at an address about a user.", "The access token speaks for no user. Use a token that a user authorized, not one of the client_credentials grant.";
    TokenOfOtherClient, UnauthorizedClient, "RFC 7009 §2.1", "The token was not issued to this client.", "A client tried to revoke another client's token.";
    TokenScopeTooSmall, InsufficientScope, "RFC 6750 §3.1", "The access token does not have the scope that this address requires.", "The scope is too small.";
    RedirectUriMissing, InvalidRequest, "RFC 6749 §3.1.2.3", "The parameter redirect_uri is missing.", "The client has not exactly one redirect URI and the request names none.", "The parameter redirect_uri is missing. It can be left out only by a client that has exactly one registered redirect URI.";
    RedirectUriUnregistered, InvalidRequest, "RFC 6749 §3.1.2.4", "The redirect_uri is not registered for this client.", "The redirect URI is, byte for byte, none of the client's.", "The redirect_uri[ {value}] is not registered for this client. Register it exactly as the request sends it, or send a registered one.";
    RequestUriPushed, InvalidRequest, "RFC 9126 §2.1", "A pushed authorization request must not have the parameter {}.", "A client pushed a reference instead of a request.", "A pushed authorization request must not have the parameter {}. Send the parameters of the request themselves.";
    RequestUriUnknown, InvalidRequestUri, "RFC 9126 §4", "The request_uri is unknown, expired or already used, or belongs to another client. Go back to the application and start again.", "A reference to a pushed authorization request that cannot be used: never issued, older than 90 seconds, of another client, or used.";
    RequestNotPushed, InvalidRequest, "RFC 9126 §6", "This client must push its authorization requests.", "The client is registered with `require_par`, and the browser brought a request that was not pushed.", "This client must push its authorization requests: send the parameters to the pushed authorization request endpoint, and the request_uri that it returns to the authorization endpoint.";
    RequestNotSigned, InvalidRequest, "RFC 9101 §10.5", "This client must sign its authorization requests.", "The client is registered with `require_signed_request_object`, and the request was not a signed object.", "This client must sign its authorization requests: send them as a signed JWT in the parameter request.";
    RequestBesideRequestUri, InvalidRequest, "RFC 9101 §5", "The parameters request and request_uri exclude each other.", "An authorization request by value and by reference at once.", "The parameters request and request_uri exclude each other. Send one of them.";
    RequestObjectMalformed, InvalidRequestObject, "RFC 9101 §4", "The request object is malformed.", "`request` is no signed JWT, or contains something that is no parameter.", "The request object is malformed. Send a signed JWT whose claims are the parameters of the request, without request and request_uri.";
    RequestObjectAlgorithm, InvalidRequestObject, "RFC 9101 §6.2", "The request object is not signed by a supported algorithm.", "An algorithm such as none, HS256 or ES384.", "The request object is not signed by a supported algorithm. Supported: RS256, PS256, ES256, EdDSA.";
    RequestObjectUntrusted, InvalidRequestObject, "RFC 9101 §6.2", "The signature of the request object cannot be verified with the keys of this client.", "The client has no keys, or they cannot be fetched, or none of them made the signature.";
    RequestObjectOfOther, InvalidRequestObject, "RFC 9101 §6.3", "The request object is of another client.", "The client_id in the object is not the one beside it, or the issuer is not the client.", "The request object is of another client. Its claims client_id and iss must be the client_id of the request.";
    RequestObjectForOther, InvalidRequestObject, "RFC 9101 §4", "The request object is for another audience.", "The audience of the object is not this server.", "The request object is for another audience. Its claim aud must be the issuer[, {choices}].";
    RequestObjectExpired, InvalidRequestObject, "RFC 7519 §4.1.4", "The request object has expired or is not valid yet.", "The time in `exp` has passed, or that in `nbf` or `iat` is in the future.", "The request object has expired or is not valid yet. Make a new one, and check the clock of the client.";
    AuthorizeClientUnknown, UnknownClient, "RFC 6749 §4.1.2.1", "The client_id is unknown.", "An authorization request of an unknown or disabled client.", "There is no client with this client_id here. Check that the client_id is copied in full, and that the client is registered for this API.";
    ResponseTypeUnknown, UnsupportedResponseType, "RFC 6749 §4.1.2.1", "This response_type is not supported.", "The surface does not offer the response type.", "The response_type[ {value}] is not supported here[. Supported: {choices}].";
    ResponseTypeNotAllowed, UnauthorizedClient, "RFC 6749 §4.1.2.1", "This client may not use this response_type.", "The client is not registered for the grant behind the response type.", "This client may not use the response_type[ {value}][. It may use: {choices}]. The registration of the client has to allow it.";
    ResponseModeUnknown, InvalidRequest, "OAuth 2.0 Multiple Response Types §2.1", "This response_mode is not supported.", "A response mode that does not exist here.", "The response_mode[ {value}] is not supported here[. Supported: {choices}].";
    ChallengeMissing, InvalidRequest, "RFC 7636 §4.4.1", "A code_challenge is required.", "The client must use PKCE.", "A code_challenge is required. Send one with code_challenge_method=S256 (PKCE, RFC 7636).";
    ChallengeMethodUnknown, InvalidRequest, "RFC 7636 §4.4.1", "The code_challenge_method must be S256.", "The plain method, or none named, or an unknown one.", "The code_challenge_method must be S256[; the request has {value}].";
    PromptMalformed, InvalidRequest, "OpenID Connect Core §3.1.2.1", "The prompt is malformed: none cannot stand together with other words.", "prompt=none together with another word.";
    PromptUnknown, InvalidRequest, "OpenID Connect Core §3.1.2.1", "This prompt is not supported here. Supported words: none, login, select_account, consent.", "A word in prompt that this server does not know, such as create.", "The prompt[ {value}] is not supported here. Supported: none, login, select_account, consent.";
    UserDenied, AccessDenied, "RFC 6749 §4.1.2.1", "The user denied the request.", "The user pressed Deny.";
    LoginNeeded, LoginRequired, "OpenID Connect Core §3.1.2.6", "The user is not signed in.", "prompt=none and nobody is signed in.";
    SecondFactorNeeded, InteractionRequired, "OpenID Connect Core §3.1.2.6", "The user must answer a question first.", "prompt=none and a second factor is missing.";
    ConsentNeeded, ConsentRequired, "OpenID Connect Core §3.1.2.6", "The user has not allowed this yet.", "prompt=none and the consent does not cover the request.";
    OtherUserSignedIn, LoginRequired, "OpenID Connect Core §3.1.2.2", "Another user is signed in than the one whom the request asks for.", "The request names a user by `id_token_hint`, or by the claim `sub` in `claims`, and somebody else is or signed in.";
    LevelNotReached, UnmetAuthenticationRequirements, "OpenID Connect Core §5.5.1.1", "The user cannot be authenticated as strongly as the request demands.", "The request has an essential claim `acr`, and the user was not authenticated in one of its ways. Perhaps the account has no second factor.";
    IdTokenHintInvalid, InvalidRequest, "OpenID Connect Core §3.1.2.1", "The id_token_hint is no ID token that this client got from this server, or it is too old. Leave it out, or send the latest one.", "The hint is malformed, forged, of another client or issuer, or signed by a key that is no longer known.";
    NonceTooLong, InvalidRequest, "OpenID Connect Core §3.1.2.1", "The nonce is too long: it may have at most 512 bytes.", "A nonce is stored with the code, so its size has a limit.";
    PageStale, InvalidRequest, "OWASP ASVS 5.0 V3.5", "The page is too old or belongs to another browser. Go back to the application and start again.", "A form whose seal does not open: expired, of another browser, or forged.";
    PageOfOther, InvalidRequest, "OWASP ASVS 5.0 V3.5", "The form belongs to another person than the one who is signed in now. Nothing was changed.", "A form of the account or developer pages was sent after somebody else had signed in to the same browser.";
    AddressUnknown, NotFound, "RFC 9110 §15.5.5", "There is nothing at this address.", "No endpoint or page has this path.";
    HostUnknown, NotFound, "RFC 9110 §15.5.20", "This server does not answer for this host.", "No dialect has this Host.", "This server does not answer for the host[ {value}]. If you run this server behind a reverse proxy: does the proxy pass on the Host header of the request?";
    MethodUnknown, MethodNotAllowed, "RFC 9110 §15.5.6", "This address is not asked by this method.", "An endpoint was asked by another method.", "This endpoint does not accept the method[ {value}][. Use {choices}].";
    TooManyRequests, RateLimited, "RFC 6585 §4", "Too many requests. Wait and try again.", "A rate limit.";
    Busy, TemporarilyUnavailable, "RFC 9110 §15.6.4", "The server is busy or cannot write at the moment. Try again.", "The store does not take writes, or a queue is full.";
    Broken, ServerError, "RFC 9110 §15.6.1", "Something went wrong on the server. The request id helps its operator to find out what.", "A fault; the log has the cause under the request id.";
    SignInNeeded, LoginRequired, "OWASP ASVS 5.0 V7", "Sign in to see this page.", "A page of the account without a live session.";
    SignInAgain, LoginRequired, "OWASP ASVS 5.0 V7.5.1", "Sign in again to do this.", "A sensitive change in a session whose last sign-in is too long ago.";
    PasswordNeeded, LoginRequired, "OWASP ASVS 5.0 V7.5.1", "Sign in with your password to do this.", "A sensitive change in a session that began with the word of an issuer elsewhere, for an account that has a password.";
    IdentityUnknown, NotFound, "OWASP ASVS 5.0 V8.2.2", "This is no longer linked to your account.", "An account elsewhere that is not linked, or is linked to somebody else's account.";
    IdentityLast, InvalidRequest, "OWASP ASVS 5.0 V6.8", "This is the only way into your account. Set a password first.", "The last link of an account without a password was to be taken away.";
    TotpPresent, InvalidRequest, "OWASP ASVS 5.0 V6.5", "A second factor is already switched on.", "Enrolment of a second factor where there is one.";
    TotpAbsent, InvalidRequest, "OWASP ASVS 5.0 V6.5", "There is no second factor to change.", "A change of a second factor where there is none.";
    LoginNameMissing, InvalidRequest, "OWASP ASVS 5.0 V6.1", "Your account has no e-mail address and no user name to sign in with, so a password would be of no use. Ask the operator of this server to add one.", "A first password for an account that came by way of an issuer elsewhere without an address of its own.";
    PasswordTooShort, InvalidRequest, "OWASP ASVS 5.0 V6.2.1", "The new password is too short: it needs at least 8 characters.", "A new password below the minimum.";
    PasswordTooLong, InvalidRequest, "OWASP ASVS 5.0 V6.2.9", "The new password is too long: at most 1024 bytes.", "A new password above the limit.";
    PasswordTooCommon, InvalidRequest, "OWASP ASVS 5.0 V6.2.4", "The new password is one of those that everybody tries first. Choose another.", "A new password from the list of common ones.";
    PasswordCurrentWrong, InvalidCredentials, "OWASP ASVS 5.0 V6.2.3", "The current password is wrong.", "A change of password without the current one.";
    ApplicationOfOperator, AccessDenied, "OWASP ASVS 5.0 V8.2", "This application is the operator's own: only the operator can change it.", "The owner of a first-party application tried to change it on the developer pages.";
    AttributesTooDeep, InvalidRequest, "RFC 8259 §9", "The attributes of an account may be nested 32 deep.", "A patch would nest an account's attributes too deep.";
    AttributesNotAllowed, UnauthorizedClient, "OWASP ASVS 5.0 V8.2", "This client may not read or change accounts.", "Only a confidential client with the right to it (`--accounts-api`) may use the accounts API.";
    AttributesTooLarge, InvalidRequest, "RFC 9110 §15.5.14", "The attributes of an account may have 64 KiB together.", "A patch would make an account too large.";
    AttributeReserved, InvalidRequest, "OpenID Connect Core §5.1", "The attribute {value} cannot be set: this name belongs to a claim that the server itself makes. Choose another name.", "A patch sets an attribute whose name is that of a claim, such as email or sub.";
    AttributeInexact, InvalidRequest, "RFC 8259 §6", "The number {value} in the attributes cannot be kept exactly. Send it as a string.", "A patch has a number that would be rounded.";
    AccountUnknown, NotFound, "RFC 9110 §15.5.5", "There is no such account.", "The accounts API was asked for an identifier that nobody has.";
    NameMalformed, InvalidRequest, "OWASP ASVS 5.0 V2.2", "The name must have between 1 and 200 characters.", "A display name that is empty or too long.";
    NameCharacter, InvalidRequest, "Unicode TR 36 §2", "The name contains {value}; remove it.", "A name with a character that is invisible or changes the direction of the text.";
    RedirectUriTooLong, InvalidRequest, "RFC 6749 §3.1.2", "The redirect URI is longer than 2000 bytes.", "A redirect URI that is too long to be registered.";
    RedirectUriCharacters, InvalidRequest, "RFC 3986 §2", "The redirect URI has a space or another character that must be percent-encoded.", "A redirect URI with characters that no URI has.";
    RedirectUriFragment, InvalidRequest, "RFC 6749 §3.1.2", "The redirect URI has a fragment (#…).", "A redirect URI with a fragment was to be registered.";
    RedirectUriWildcard, InvalidRequest, "RFC 9700 §4.1.3", "The redirect URI has a wildcard; list every URI in full.", "A redirect URI with a wildcard was to be registered.";
    RedirectUriRelative, InvalidRequest, "RFC 6749 §3.1.2", "The redirect URI is not an absolute URI such as https://app.example/callback.", "A redirect URI without a scheme was to be registered.";
    RedirectUriUserinfo, InvalidRequest, "RFC 3986 §7.5", "The redirect URI has a user name or password in front of its host.", "A redirect URI with credentials was to be registered.";
    RedirectUriPort, InvalidRequest, "RFC 3986 §3.2.3", "The port of the redirect URI must be a number from 1 to 65535, without leading zeros.", "A redirect URI with a port that cannot exist was to be registered.";
    RedirectUriHost, InvalidRequest, "RFC 3986 §7.4", "The host of the redirect URI must be written in its usual form, such as app.example, 127.0.0.1 or [::1].", "A redirect URI whose host parsers read as another one was to be registered.";
    RedirectUriDots, InvalidRequest, "RFC 3986 §6.2.2.3", "The redirect URI has . or .. as a part of its path; write the path without it.", "A redirect URI whose path browsers change was to be registered.";
    RedirectUriNotWrittenOut, InvalidRequest, "RFC 6749 §3.1.2", "The redirect URI must be written out: https://, in lower case, and a host.", "A redirect URI that parsers forgive and browsers read differently.";
    RedirectUriUnencrypted, InvalidRequest, "RFC 9700 §2.6", "The redirect URI must use https; http is for this machine only (localhost, 127.0.0.1, [::1]).", "A redirect URI with http on another machine was to be registered.";
    RedirectUriSchemeForbidden, InvalidRequest, "RFC 9700 §4.1.3", "The redirect URI has a scheme that must not be redirected to.", "A redirect URI such as javascript: was to be registered.";
    RedirectUriSchemeVague, InvalidRequest, "RFC 8252 §7.1", "An application's own scheme must be a reversed domain name such as com.example.app:/callback.", "A private-use scheme that can be anybody's.";
    RedirectUriOfConfidential, InvalidRequest, "RFC 8252 §8.4", "The redirect URI of a confidential application must use https.", "A private-use scheme for a client that runs on a server.";
    RedirectUrisMissing, InvalidRequest, "RFC 6749 §3.1.2.2", "Give at least one redirect URI: where does the application get its users back?", "An application whose users come back, without a redirect URI.";
    RedirectUrisTooMany, InvalidRequest, "RFC 6749 §3.1.2.3", "An application can have at most 20 redirect URIs.", "Too many redirect URIs.";
    LogoUriMalformed, InvalidRequest, "RFC 7591 §2", "The logo must be an address that begins with https:// and has at most 2000 bytes.", "A logo's address that is not https, or no address.";
    ClientKindUnknown, InvalidRequest, "RFC 6749 §2.1", "Say whether the application can keep a secret: confidential or public.", "A kind of client that does not exist.";
    DialectNotOffered, InvalidRequest, "RFC 6749 §2", "This API cannot be chosen here.", "A surface whose file or operator does not offer this to users.";
    ApplicationUnknown, NotFound, "OWASP ASVS 5.0 V8.2.2", "There is no application with this client ID among yours.", "The application does not exist, or is somebody else's.";
    ApplicationsTooMany, InvalidRequest, "OWASP ASVS 5.0 V2.4", "You have 25 applications, and that is the limit. Delete one that you no longer need.", "A user registers more applications than the limit.";
    SecretOfPublicClient, InvalidRequest, "RFC 6749 §2.1", "A public application has no secret.", "A secret for a client that cannot keep one.";
    SecretsTooMany, InvalidRequest, "OWASP ASVS 5.0 V2.4", "The application has two secrets already. Retire one of them first.", "A third secret.";
    SecretUnknown, InvalidRequest, "OWASP ASVS 5.0 V8.2.2", "The application no longer has this secret.", "A secret that was retired already.";
    SecretLast, InvalidRequest, "RFC 6749 §2.3.1", "This is the application's only secret. Add a new one first, and retire this one when the application uses the new one.", "The only secret was to be retired.";
    PersonalUnknown, NotFound, "OWASP ASVS 5.0 V8.2.2", "There is no such token among yours.", "The personal token is gone, or is somebody else's.";
    PersonalsTooMany, InvalidRequest, "OWASP ASVS 5.0 V2.4", "You have 50 personal access tokens, and that is the limit. Revoke one that you no longer need.", "A user makes more personal tokens than the limit.";
    PersonalScopeUnknown, InvalidScope, "RFC 6749 §3.3", "One of these permissions cannot be chosen here.", "A personal token with a scope that the surface does not have.";
    PersonalExpiryMalformed, InvalidRequest, "OWASP ASVS 5.0 V2.2", "Say when the token ends, by one of the choices.", "A lifetime that is none, or longer than the surface allows.";
    IdMalformed, InvalidRequest, "RFC 6749 appendix A.1", "An identifier has 1 to 255 printable ASCII characters and no space.", "A client_id or a sub from elsewhere that does not survive headers, URLs and logs.";
    EmailMalformed, InvalidRequest, "RFC 5321 §4.5.3.1", "The text {value} is no e-mail address.", "An e-mail address of a new or changed account that is none.";
    EmailCharacter, InvalidRequest, "Unicode TR 36 §2", "The e-mail address contains {value}; remove it.", "An e-mail address with a character that is invisible or changes the direction of the text.";
    UsernameMalformed, InvalidRequest, "OWASP ASVS 5.0 V2.2", "A user name has 1 to 64 characters, no space and no @.", "A user name that is empty, too long, or could pass for an e-mail address.";
    UsernameCharacter, InvalidRequest, "Unicode TR 36 §2", "The user name contains {value}; remove it.", "A user name with a character that is invisible or changes the direction of the text.";
    SettingMalformed, InvalidRequest, "RFC 7591 §2", "The value of {value} is none that this setting can have.", "A client setting of another form, or with a word that it does not know.";
    SettingOfOperator, AccessDenied, "OWASP ASVS 5.0 V8.2", "Only the operator of this server can set {value}.", "The owner of an application proposed a setting that is the operator's.";
    HomepageMalformed, InvalidRequest, "RFC 7591 §2", "The page {value} is no http or https URL.", "The page about an application is no URL of the web.";
    HomepageUnencrypted, InvalidRequest, "RFC 7591 §2", "The homepage {value} is no https URL.", "The owner of an application gave a homepage that is no https URL.";
    PrivacyPolicyMalformed, InvalidRequest, "RFC 7591 §2", "The privacy policy {value} is no https URL.", "The privacy policy of an application is no https URL.";
    TermsMalformed, InvalidRequest, "RFC 7591 §2", "The terms of use {value} are no https URL.", "The terms of use of an application are no https URL.";
    NameReserved, InvalidRequest, "RFC 6749 §10.2", "The name is, contains or looks like {value}, which is reserved. Choose another name, or ask the people who run this service to register the application.", "A self-registered application with a name of `developer.reserved_names`, with the name of the provider, or with one that looks like these.";
    HomepageCharacter, InvalidRequest, "Unicode TR 36 §2", "The URL contains {value}; remove it.", "The page about an application has a character that is invisible or changes the direction of the text.";
    AuthMethodOfPublicClient, InvalidRequest, "RFC 6749 §2.1", "A public client has no secret to send: its only authentication method is none.", "A way to send a secret for a client that has none.";
    AuthMethodOfConfidentialClient, InvalidRequest, "RFC 6749 §2.3", "A confidential client proves who it is: the authentication method none is for public clients.", "A confidential client that would prove nothing.";
    GrantNotOffered, InvalidRequest, "RFC 6749 §1.3", "This API has no grant type {value}.", "A grant type for a client whose surface does not offer it.";
    GrantOfOperator, AccessDenied, "OWASP ASVS 5.0 V8.2", "Only the operator of this server can give an application the grant type {value}.", "A self-registered application asked for a grant type that the table does not open to such applications.";
    GrantOfConfidentialClient, InvalidRequest, "RFC 6749 §4.4", "A public client has no credentials: the grant type {value} is for confidential clients.", "A public client asked for a grant type by which a client acts for itself.";
    ScopeMalformed, InvalidScope, "RFC 6749 §3.3", "The word {value} cannot be a scope.", "A scope of a registration with characters that no scope has, or with too many words.";
    ScopeNotOffered, InvalidScope, "RFC 6749 §3.3", "This API has no scope {value}.", "A scope for a client or a personal token that its surface does not have.";
    ResourceMalformed, InvalidTarget, "RFC 8707 §2", "The resource {value} is no absolute URL without a fragment.", "A resource that a client cannot answer for.";
    ParNotOffered, InvalidRequest, "RFC 9126 §6", "This API takes no pushed authorization requests, so an application cannot be required to push them.", "`require_par` of a client whose dialect has no endpoint for pushed authorization requests.";
    AuthMethodNotOffered, InvalidRequest, "RFC 7523 §2.2", "This API takes no client assertions, so an application cannot authenticate by {value}.", "An authentication method by assertion, for a client whose dialect has no endpoint that takes assertions.";
    KeysMalformed, InvalidRequest, "RFC 7517 §5", "The public keys are refused: {value}.", "`jwks` of a client that is no JWK Set, has a private key, or has no key that can be used.";
    KeysUriMalformed, InvalidRequest, "RFC 7591 §2", "The URL of the public keys, {value}, is no https URL.", "`jwks_uri` of a client that is no https URL.";
    KeysTwice, InvalidRequest, "RFC 7591 §2", "Public keys can be given by value or by URL, and not both.", "A client with `jwks` and `jwks_uri`.";
    KeysMissing, InvalidRequest, "RFC 7591 §2", "An application that signs with its private key needs public keys, by value or by URL.", "`private_key_jwt` without `jwks` and `jwks_uri`.";
    SecretTooShortToSign, InvalidRequest, "RFC 7518 §3.2", "A client secret that signs (client_secret_jwt) needs at least 32 bytes.", "An imported secret that is too short for HS256.";
    PkceNotOptional, InvalidRequest, "RFC 9700 §2.1.1", "PKCE cannot be optional here: public clients always need it, and some APIs ask it of all.", "A client was to be registered without PKCE where that is not allowed.";
    IntrospectionOfPublicClient, InvalidRequest, "RFC 7662 §2.1", "A public client cannot introspect tokens.", "A public client was to learn of every token.";
    AccountsApiOfPublicClient, InvalidRequest, "OWASP ASVS 5.0 V8.2", "A public client cannot use the accounts API.", "The accounts API was to be opened to a client without a secret.";
    AccountsApiOfOtherDialect, InvalidRequest, "OWASP ASVS 5.0 V8.2", "A client of {value} cannot use the accounts API: register a client of the standard dialect.", "The accounts API authenticates clients of the standard dialect alone.";
    SecretLength, InvalidRequest, "RFC 6749 §2.3.1", "The secret has {value} bytes; it must have 8 to 1024.", "A client secret from elsewhere that is too short or too long.";
    SecretCharacter, InvalidRequest, "RFC 6749 appendix A.2", "The secret has the character {value}: a client secret consists of printable ASCII characters.", "A client secret from elsewhere that no client could send.";
    SecretNoneOlder, InvalidRequest, "RFC 6749 §2.3.1", "The client has no older secret to retire.", "The older of two secrets was to be retired where there is one.";
    TotpUnreadable, InvalidRequest, "RFC 6238 §5.1", "The second factor of {value} cannot be opened with either master key.", "A second factor that is sealed with a third master key, or damaged.";
    ClientAbsent, NotFound, "RFC 9110 §15.5.5", "There is no client {value}.", "The operator named a client_id that nobody has.";
    UserAbsent, NotFound, "RFC 9110 §15.5.5", "There is no user {value}.", "The operator named a user whom nobody is.";
    UserOff, InvalidRequest, "OWASP ASVS 5.0 V8.2", "The user {value} is disabled. Enable the account first.", "The operator wanted a token for a disabled account.";
    EmailAbsent, InvalidRequest, "OWASP ASVS 5.0 V6.1", "The account has no e-mail address to verify.", "The operator said that an address is verified where there is none.";
    LoginMissing, InvalidRequest, "OWASP ASVS 5.0 V6.1", "An account needs an e-mail address or a user name to sign in with.", "The operator took away the last name that a user signs in with.";
    AttributeAbsent, InvalidRequest, "RFC 7396 §2", "The account has no attribute {value}.", "The operator removed an attribute that the account does not have.";
    GrantAbsent, NotFound, "RFC 9110 §15.5.5", "There is no such grant.", "The operator named a grant that is not there.";
    TokenAbsent, NotFound, "RFC 9110 §15.5.5", "There is no such token.", "The operator named a token that was never this server's, or is gone.";
}

/// A refusal of one request, with the faulty parameter and value if there are any.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub no: No,
    /// The faulty parameter.
    pub param: Option<Param>,
    /// The time in seconds after which a retry may succeed.
    pub retry_after_s: Option<u64>,
    /// The faulty value, for texts that show it.
    pub value: Option<Quoted>,
    /// What would be accepted instead, for texts that list it.
    pub choices: Option<Quoted>,
}

impl std::fmt::Debug for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut told = f.debug_struct("Refusal");
        told.field("no", &self.no).field("param", &self.param).field("retry_after_s", &self.retry_after_s);
        if let Some(value) = &self.value {
            told.field("value", value);
        }
        if let Some(choices) = &self.choices {
            told.field("choices", choices);
        }
        told.finish()
    }
}

impl Refusal {
    /// Makes a refusal that names the faulty parameter.
    #[must_use]
    pub const fn of(no: No, param: Param) -> Self {
        Self { no, param: Some(param), retry_after_s: None, value: None, choices: None }
    }

    /// Adds the faulty value to the refusal.
    #[must_use]
    pub fn with_value(self, value: &str) -> Self {
        Self { value: Some(Quoted::new(value)), ..self }
    }

    /// Adds what would be accepted instead. An empty list is not told.
    #[must_use]
    pub fn with_choices<'a>(self, choices: impl IntoIterator<Item = &'a str>) -> Self {
        Self { choices: Quoted::list(choices), ..self }
    }

    /// Returns the row of the table.
    #[must_use]
    pub fn row(&self) -> &'static Row {
        self.no.row()
    }

    /// Returns the text for the client.
    #[must_use]
    pub fn text(&self) -> String {
        self.text_with(self.param.map_or("", Param::as_str))
    }

    /// Returns the text for a client that knows the faulty parameter by the name `param`.
    #[must_use]
    pub fn text_with(&self, param: &str) -> String {
        let text = self.row().text.replace("{}", param);
        match &self.value {
            Some(value) => text.replace("{value}", value.as_str()),
            None => text.replace(" {value}", ""),
        }
    }

    /// Returns the text that names the faulty value and the next step.
    #[must_use]
    pub fn detail(&self) -> String {
        self.detail_with(self.param.map_or("", Param::as_str))
    }

    /// As [`Self::detail`], for a client that knows the faulty parameter by the name `param`.
    #[must_use]
    pub fn detail_with(&self, param: &str) -> String {
        let Some(detail) = self.row().detail else { return self.text_with(param) };
        let mut told = String::new();
        for (at, part) in detail.split(['[', ']']).enumerate() {
            let is_optional = at % 2 == 1;
            let is_known = (self.value.is_some() || !part.contains("{value}"))
                && (self.choices.is_some() || !part.contains("{choices}"));
            if is_optional && !is_known {
                continue;
            }
            let mut rest = part;
            while let Some((before, placeholder, after)) = next_placeholder(rest) {
                told.push_str(before);
                told.push_str(match placeholder {
                    "{value}" => self.value.as_ref().map_or("", Quoted::as_str),
                    "{choices}" => self.choices.as_ref().map_or("", Quoted::as_str),
                    _ => param,
                });
                rest = after;
            }
            told.push_str(rest);
        }
        told
    }
}

/// Splits a text at its first placeholder: the text before it, the placeholder, and the text after it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let from = text.find('{')?;
    let to = from + text[from..].find('}')? + 1;
    Some((&text[..from], &text[from..to], &text[to..]))
}

impl From<No> for Refusal {
    fn from(no: No) -> Self {
        Self { no, param: None, retry_after_s: None, value: None, choices: None }
    }
}

impl From<NameFault> for Refusal {
    fn from(fault: NameFault) -> Self {
        match fault {
            NameFault::Length { .. } => No::NameMalformed.into(),
            NameFault::Character { .. } => Self::from(No::NameCharacter).with_value(&fault.place()),
        }
    }
}

impl ErrorKind {
    /// Returns the HTTP status of an error page for people. The `[error]` table of a dialect only sets the status of
    /// answers to programs.
    #[must_use]
    pub const fn page_status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::AccessDenied
            | Self::LoginRequired
            | Self::InteractionRequired
            | Self::ConsentRequired
            | Self::InsufficientScope => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::LockedOut | Self::RateLimited => 429,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            Self::InvalidRequest
            | Self::UnknownClient
            | Self::InvalidGrant
            | Self::InvalidCredentials
            | Self::OtpNeeded
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::UnmetAuthenticationRequirements
            | Self::UnsupportedTokenType
            | Self::InvalidRequestUri
            | Self::InvalidRequestObject => 400,
        }
    }
}

impl No {
    /// Returns the row of the table.
    #[must_use]
    pub fn row(self) -> &'static Row {
        // The macro declares the variants and the rows in the same order.
        &TABLE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_finds_its_own_row() {
        for row in TABLE {
            assert_eq!(row.no.row().name, row.name);
        }
    }

    #[test]
    fn a_text_names_a_parameter_exactly_when_it_has_a_place_for_one() {
        for row in TABLE {
            let text = Refusal::of(row.no, Param::Code).text();
            let is_named = text != Refusal::from(row.no).text();
            assert_eq!(row.text.contains("{}"), is_named, "{}", row.name);
        }
    }

    #[test]
    fn a_text_names_a_value_exactly_when_it_has_a_place_for_one() {
        for row in TABLE {
            let refusal = Refusal::from(row.no);
            assert!(!refusal.text().contains("{value}"), "{}", row.name);
            let is_named = refusal.with_value("https://api.example").text().contains("https://api.example");
            assert_eq!(row.text.contains("{value}"), is_named, "{}", row.name);
        }
        let unknown = Refusal::of(No::ResourceUnknown, Param::Resource).with_value("urn:a");
        assert_eq!(unknown.text(), "The resource urn:a is unknown, malformed, or not part of the grant.");
    }

    #[test]
    fn a_detail_names_what_is_known_and_leaves_out_what_is_not() {
        let refusal = Refusal::of(No::ScopeUnknown, Param::Scope);
        let told = [refusal, refusal.with_value("calendar"), refusal.with_choices(["profile", "email"])];
        assert_eq!(
            told.map(|own| own.detail()),
            [
                "The scope does not exist here.",
                "The scope calendar does not exist here.",
                "The scope does not exist here. This client may ask for: profile, email.",
            ]
        );
        assert_eq!(refusal.with_choices([]), refusal);
        let sly = refusal.with_value("{choices}[x]{}").with_choices(["profile"]);
        let told = "The scope {choices}[x]{} does not exist here. This client may ask for: profile.";
        assert_eq!(sly.detail(), told);
    }

    /// RFC 6749 §5.2: values for "error_description" "MUST NOT include characters outside the set %x20-21 / %x23-5B /
    /// %x5D-7E".
    #[test]
    fn a_detail_fits_into_an_error_description_and_has_whole_parts_rfc_6749_5_2() {
        for row in TABLE {
            let Some(detail) = row.detail else { continue };
            assert!(detail.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{}", row.name);
            assert_eq!(detail.matches('[').count(), detail.matches(']').count(), "{}", row.name);
            let bare = Refusal::of(row.no, Param::Code).detail();
            assert!(!bare.contains(['{', '[', ']']) && !bare.contains("  "), "{}: {bare}", row.name);
            let full = Refusal::of(row.no, Param::Code).with_value("VALUE").with_choices(["CHOICE"]).detail();
            assert_eq!(detail.contains("{value}"), full.contains("VALUE"), "{}: {full}", row.name);
            assert_eq!(detail.contains("{choices}"), full.contains("CHOICE"), "{}: {full}", row.name);
        }
    }
}
