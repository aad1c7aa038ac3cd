// simple-oauth2: the authorization code with PKCE, refresh, revocation, client_credentials; secret by Basic, then in the body.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { AuthorizationCode, ClientCredentials } from 'simple-oauth2';
import { check, clients, expectPerson, issuer, journey, person, scope, userinfo } from './checks.mjs';

const settings = ({ client_id, client_secret }, authorizationMethod) => ({
  client: { id: client_id, secret: client_secret },
  auth: { tokenHost: issuer, tokenPath: '/oauth/token', revokePath: '/oauth/revoke' },
  options: { authorizationMethod },
});

async function codeFlow(name, registered, method) {
  const oauth = new AuthorizationCode(settings(registered, method));
  const { redirect_uri } = registered;

  // The library knows nothing of PKCE, but passes on what it does not know.
  const state = randomBytes(16).toString('base64url');
  const code_verifier = randomBytes(32).toString('base64url');
  const code_challenge = createHash('sha256').update(code_verifier).digest('base64url');

  const code = await check(`${name}: the redirect carries the state and the issuer`, () => {
    const url = oauth.authorizeURL({ redirect_uri, scope, state, code_challenge, code_challenge_method: 'S256' });
    const back = person(url).searchParams;
    assert.equal(back.get('state'), state);
    assert.equal(back.get('iss'), issuer);
    return back.get('code');
  });

  const tokens = await check(`${name}: the code is exchanged for tokens`, async () => {
    const answer = await oauth.getToken({ code, redirect_uri, code_verifier });
    assert.equal(answer.expired(), false);
    return answer;
  });

  await check(`${name}: userinfo names the person`, async () =>
    expectPerson(await (await userinfo(tokens.token.access_token)).json()));

  const rotated = await check(`${name}: the refresh token is rotated`, async () => {
    const answer = await tokens.refresh();
    assert.notEqual(answer.token.refresh_token, tokens.token.refresh_token);
    assert.notEqual(answer.token.access_token, tokens.token.access_token);
    return answer;
  });

  await check(`${name}: userinfo refuses with 401 after both tokens were revoked`, async () => {
    await rotated.revokeAll();
    assert.equal((await userinfo(rotated.token.access_token)).status, 401);
  });
}

await journey(() => codeFlow('simple-oauth2 confidential, Basic', clients.basic, 'header'));
await journey(() => codeFlow('simple-oauth2 confidential, parameters', clients.post, 'body'));

await journey(() => check('simple-oauth2 machine: client_credentials gives a token', async () => {
  const oauth = new ClientCredentials(settings(clients.machine, 'header'));
  const { token } = await oauth.getToken({ scope: 'links:read' });
  assert.ok(token.access_token);
  assert.equal(token.refresh_token, undefined);
}));
