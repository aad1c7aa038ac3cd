// How the peer is configured: the client, the scope and the lifetimes of `bench/src/seed.rs`, and nothing that is not measured.
import Provider from 'oidc-provider';

export const CLIENT_ID = 'bench';
export const CLIENT_SECRET = 'bench-secret-bench-secret-bench-secret';
export const REDIRECT_URI = 'http://localhost:9/cb';
export const SCOPE = 'profile';
export const ENDPOINTS = {
  authorization: '/auth',
  token: '/token',
  introspection: '/token/introspection',
  revocation: '/token/revocation',
};

const HOUR_S = 3600;
const WEEKS_S = 14 * 24 * HOUR_S;

const client = {
  client_id: CLIENT_ID,
  client_secret: CLIENT_SECRET,
  redirect_uris: [REDIRECT_URI],
  grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
  response_types: ['code'],
  token_endpoint_auth_method: 'client_secret_post',
  scope: SCOPE,
};

/** A provider on an adapter. `keys` are what its processes share: `{ jwks, cookies }`. */
export function createProvider(issuer, adapter, keys) {
  return new Provider(issuer, {
    adapter,
    clients: [client],
    jwks: keys.jwks,
    cookies: { keys: keys.cookies },
    scopes: ['openid', 'offline_access', SCOPE],
    claims: { openid: ['sub'], [SCOPE]: ['name'] },
    // A person is not looked up anywhere; a real installation asks its database here. In the peer's favour.
    findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, name: sub }) }),
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: false },
    },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    // Grantry gives a refresh token to each client that may use one, without `offline_access`; and its tokens outlive the
    // session. So here too, which also saves the peer one look-up of the session per token.
    issueRefreshToken: (ctx, asking) => asking.grantTypeAllowed('refresh_token'),
    expiresWithSession: () => false,
    clientBasedCORS: () => false,
    ttl: {
      AccessToken: HOUR_S,
      ClientCredentials: HOUR_S,
      AuthorizationCode: 60,
      IdToken: HOUR_S,
      Interaction: HOUR_S,
      RefreshToken: WEEKS_S,
      Grant: WEEKS_S,
      Session: WEEKS_S,
    },
  });
}
