package interop;

import static interop.Checks.check;
import static interop.Checks.equal;

import com.nimbusds.oauth2.sdk.AuthorizationCode;
import com.nimbusds.oauth2.sdk.AuthorizationCodeGrant;
import com.nimbusds.oauth2.sdk.AuthorizationGrant;
import com.nimbusds.oauth2.sdk.AuthorizationRequest;
import com.nimbusds.oauth2.sdk.AuthorizationResponse;
import com.nimbusds.oauth2.sdk.ClientCredentialsGrant;
import com.nimbusds.oauth2.sdk.RefreshTokenGrant;
import com.nimbusds.oauth2.sdk.ResponseType;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenIntrospectionRequest;
import com.nimbusds.oauth2.sdk.TokenIntrospectionResponse;
import com.nimbusds.oauth2.sdk.TokenIntrospectionSuccessResponse;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.TokenRevocationRequest;
import com.nimbusds.oauth2.sdk.as.AuthorizationServerMetadata;
import com.nimbusds.oauth2.sdk.auth.ClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.ClientSecretBasic;
import com.nimbusds.oauth2.sdk.auth.ClientSecretPost;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.id.State;
import com.nimbusds.oauth2.sdk.pkce.CodeChallengeMethod;
import com.nimbusds.oauth2.sdk.pkce.CodeVerifier;
import com.nimbusds.oauth2.sdk.token.AccessToken;
import com.nimbusds.oauth2.sdk.token.Token;
import com.nimbusds.oauth2.sdk.token.Tokens;
import com.nimbusds.openid.connect.sdk.UserInfoRequest;
import com.nimbusds.openid.connect.sdk.UserInfoResponse;
import com.nimbusds.openid.connect.sdk.claims.UserInfo;
import java.net.URI;

/** Nimbus OAuth 2.0 SDK: discovery by RFC 8414, a public client, Basic, parameters, client_credentials. */
public final class Main {
    private static final Scope SCOPE = new Scope("profile", "email", "links:read");

    private final String name;
    private final Checks.Client client;
    private final ClientAuthentication authentication;
    private final AuthorizationServerMetadata metadata;

    /** {@code authentication} is null for a public client, which only states its client_id. */
    private Main(String name, Checks.Client client, ClientAuthentication authentication) throws Exception {
        this.name = name;
        this.client = client;
        this.authentication = authentication;
        this.metadata = check(name + ": the metadata is found and names the issuer",
            () -> AuthorizationServerMetadata.resolve(new Issuer(Checks.ISSUER)));
    }

    public static void main(String[] arguments) throws Exception {
        Checks.journey(() -> new Main("nimbus public", Checks.client("public"), null).codeFlow());
        Checks.journey(() -> {
            Checks.Client basic = Checks.client("basic");
            new Main("nimbus basic", basic, new ClientSecretBasic(basic.id(), basic.secret())).codeFlow();
        });
        Checks.journey(() -> {
            Checks.Client post = Checks.client("post");
            new Main("nimbus post", post, new ClientSecretPost(post.id(), post.secret())).codeFlow();
        });
        Checks.journey(() -> {
            Checks.Client machine = Checks.client("machine");
            new Main("nimbus machine", machine, new ClientSecretBasic(machine.id(), machine.secret())).machine();
        });
        Checks.finish();
    }

    private void codeFlow() throws Exception {
        CodeVerifier verifier = new CodeVerifier();
        State state = new State();

        AuthorizationCode code = check(name + ": the redirect carries the state and the issuer", () -> {
            URI url = new AuthorizationRequest.Builder(ResponseType.CODE, new ClientID(client.id().getValue()))
                .scope(SCOPE)
                .state(state)
                .redirectionURI(client.redirectUri())
                .codeChallenge(verifier, CodeChallengeMethod.S256)
                .endpointURI(metadata.getAuthorizationEndpointURI())
                .build()
                .toURI();
            AuthorizationResponse back = AuthorizationResponse.parse(Checks.person(url));
            equal(back.getState(), state, "state");
            equal(back.getIssuer(), metadata.getIssuer(), "iss");
            return back.toSuccessResponse().getAuthorizationCode();
        });

        Tokens tokens = check(name + ": the code is exchanged for tokens", () -> {
            Tokens answer = redeem(new AuthorizationCodeGrant(code, client.redirectUri(), verifier), null);
            equal(answer.getAccessToken().getScope(), SCOPE, "scope");
            return answer;
        });

        check(name + ": userinfo names the person", () -> {
            UserInfo claims = userinfo(tokens.getAccessToken()).toSuccessResponse().getUserInfo();
            equal(claims.getPreferredUsername(), System.getenv("PERSON_USERNAME"), "preferred_username");
            equal(claims.getSubject() != null && claims.getName() != null, true, "sub and name");
            equal(claims.getEmailAddress() != null && claims.getEmailVerified() != null, true, "email, email_verified");
            return null;
        });

        Tokens rotated = check(name + ": the refresh token is rotated", () -> {
            Tokens answer = redeem(new RefreshTokenGrant(tokens.getRefreshToken()), null);
            equal(answer.getRefreshToken().equals(tokens.getRefreshToken()), false, "the same refresh token");
            return answer;
        });

        if (authentication != null) {
            check(name + ": introspection says active", () -> {
                TokenIntrospectionSuccessResponse answer = introspect(rotated.getAccessToken());
                equal(answer.isActive(), true, "active");
                equal(answer.getClientID(), client.id(), "client_id");
                return null;
            });
        }

        check(name + ": userinfo refuses with 401 after the refresh token was revoked", () -> {
            revoke(rotated.getRefreshToken());
            UserInfoResponse refused = userinfo(rotated.getAccessToken());
            equal(refused.indicatesSuccess(), false, "success");
            equal(refused.toErrorResponse().getErrorObject().getHTTPStatusCode(), 401, "the status");
            equal(refused.toErrorResponse().getErrorObject().getCode(), "invalid_token", "the error");
            return null;
        });
    }

    private void machine() throws Exception {
        check(name + ": client_credentials gives a token that introspection knows", () -> {
            Tokens tokens = redeem(new ClientCredentialsGrant(), new Scope("links:read"));
            equal(tokens.getRefreshToken(), null, "the refresh token");
            TokenIntrospectionSuccessResponse answer = introspect(tokens.getAccessToken());
            equal(answer.isActive(), true, "active");
            equal(answer.getScope(), new Scope("links:read"), "scope");
            return null;
        });
    }

    private Tokens redeem(AuthorizationGrant grant, Scope scope) throws Exception {
        URI endpoint = metadata.getTokenEndpointURI();
        TokenRequest request = authentication == null
            ? new TokenRequest.Builder(endpoint, client.id(), grant).scope(scope).build()
            : new TokenRequest.Builder(endpoint, authentication, grant).scope(scope).build();
        TokenResponse response = TokenResponse.parse(request.toHTTPRequest().send());
        if (!response.indicatesSuccess()) {
            throw new AssertionError(response.toErrorResponse().toJSONObject());
        }
        return response.toSuccessResponse().getTokens();
    }

    private UserInfoResponse userinfo(AccessToken token) throws Exception {
        URI endpoint = metadata.getCustomURIParameter("userinfo_endpoint");
        return UserInfoResponse.parse(new UserInfoRequest(endpoint, token).toHTTPRequest().send());
    }

    private TokenIntrospectionSuccessResponse introspect(Token token) throws Exception {
        URI endpoint = metadata.getIntrospectionEndpointURI();
        TokenIntrospectionRequest request = new TokenIntrospectionRequest(endpoint, authentication, token);
        return TokenIntrospectionResponse.parse(request.toHTTPRequest().send()).toSuccessResponse();
    }

    private void revoke(Token token) throws Exception {
        URI endpoint = metadata.getRevocationEndpointURI();
        TokenRevocationRequest request = authentication == null
            ? new TokenRevocationRequest(endpoint, client.id(), token)
            : new TokenRevocationRequest(endpoint, authentication, token);
        equal(request.toHTTPRequest().send().getStatusCode(), 200, "the status of the revocation");
    }
}
