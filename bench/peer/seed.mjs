// A peer with a past, written through oidc-provider's own models: live access tokens, refresh tokens that each have a grant of
// their own, and signed-in sessions whose person has already consented.
import { createHmac } from 'node:crypto';

import { CLIENT_ID, SCOPE } from './configuration.mjs';

const WEEKS_S = 14 * 24 * 3600;

/** `counts` says how many: `{ tokens, refresh, sessions }`. */
export async function seed(provider, counts, cookieKey) {
  const client = await provider.Client.find(CLIENT_ID);
  return {
    access_tokens: await times(counts.tokens, () => accessToken(provider, client)),
    refresh_tokens: await times(counts.refresh, (at) => refreshToken(provider, client, `refresher-${at}`)),
    session_cookies: await times(counts.sessions, (at) => sessionCookie(provider, `person-${at}`, cookieKey)),
  };
}

async function times(count, make) {
  const made = [];
  for (let at = 0; at < count; at += 1) made.push(await make(at));
  return made;
}

/** Like those of `seed.rs`, of nobody and without a grant: introspection then needs nothing beyond the token itself. */
function accessToken(provider, client) {
  return new provider.ClientCredentials({ client, scope: SCOPE }).save();
}

async function grant(provider, accountId) {
  const given = new provider.Grant({ accountId, clientId: CLIENT_ID });
  given.addOIDCScope(SCOPE);
  return given.save();
}

async function refreshToken(provider, client, accountId) {
  return new provider.RefreshToken({
    accountId,
    authTime: Math.floor(Date.now() / 1000),
    client,
    grantId: await grant(provider, accountId),
    gty: 'authorization_code',
    rotations: 0,
    scope: SCOPE,
  }).save();
}

async function sessionCookie(provider, accountId, cookieKey) {
  const session = new provider.Session();
  session.loginAccount({ accountId });
  session.ensureClientContainer(CLIENT_ID);
  session.grantIdFor(CLIENT_ID, await grant(provider, accountId));
  await session.save(WEEKS_S);
  const cookie = `${provider.cookieName('session')}=${session.id}`;
  // The signature that the package `cookies`, which Koa uses, puts beside each cookie.
  const signature = createHmac('sha1', cookieKey).update(cookie).digest('base64url');
  return `${cookie}; ${provider.cookieName('session')}.sig=${signature}`;
}
