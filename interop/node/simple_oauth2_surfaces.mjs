// simple-oauth2 at paced and php-endpoints, as it is.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { AuthorizationCode } from 'simple-oauth2';
import { check, clients, expectCode, expectMe, journey, person, reached, surfaces } from './checks.mjs';

async function codeFlow(surface) {
  const name = `simple-oauth2 ${surface}`;
  const { authorize, token, isRefreshing, spent } = reached[surface];
  const { client_id, client_secret, redirect_uri } = clients[surface];
  const withSecret = (secret) => new AuthorizationCode({
    client: { id: client_id, secret },
    auth: { tokenHost: surfaces[surface], tokenPath: token, authorizePath: authorize },
    options: { authorizationMethod: 'body' },
  });
  const oauth = withSecret(client_secret);

  const code = await check(`${name}: the redirect carries a code and the state`, () => {
    const state = randomBytes(16).toString('base64url');
    return expectCode(person(oauth.authorizeURL({ redirect_uri, state })), state);
  });

  await check(`${name}: a wrong secret is invalid_client, and the code outlives it`, () =>
    assert.rejects(withSecret('wrong').getToken({ code, redirect_uri }), (why) => {
      assert.equal(why.output.statusCode, 401);
      assert.equal(why.data.payload.error, 'invalid_client');
      return true;
    }));

  const tokens = await check(`${name}: the code is exchanged`, async () => {
    const answer = await oauth.getToken({ code, redirect_uri });
    assert.equal(answer.expired(), false);
    assert.equal('refresh_token' in answer.token, isRefreshing);
    return answer;
  });

  await check(`${name}: the API names the person`, () => expectMe(surface, tokens.token.access_token));

  if (isRefreshing) {
    await check(`${name}: a refresh keeps the refresh token`, async () => {
      const { token: renewed } = await tokens.refresh();
      assert.equal(renewed.refresh_token, tokens.token.refresh_token);
      assert.notEqual(renewed.access_token, tokens.token.access_token);
      await expectMe(surface, renewed.access_token);
    });
  }

  await check(`${name}: a code that is sent again is ${spent}`, () =>
    assert.rejects(oauth.getToken({ code, redirect_uri }), (why) => {
      assert.equal(why.output.statusCode, 400);
      assert.equal(why.data.payload.error, spent);
      return true;
    }));
}

for (const surface of Object.keys(reached)) await journey(() => codeFlow(surface));
