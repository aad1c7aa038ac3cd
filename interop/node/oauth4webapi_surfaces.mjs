// oauth4webapi at paced and php-endpoints, as it is: it knows the addresses from here, since neither has metadata.

import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import { check, clients, expectCode, journey, person, reached, surfaces } from './checks.mjs';

// The surfaces are plain HTTP on loopback; oauth4webapi refuses that unless told otherwise.
const loopback = { [oauth.allowInsecureRequests]: true };

async function codeFlow(surface) {
  const name = `oauth4webapi ${surface}`;
  const { authorize, token, api, hasBasic, isRefreshing, spent, me } = reached[surface];
  const base = surfaces[surface];
  const { client_id, client_secret, redirect_uri } = clients[surface];
  const client = { client_id };
  const server = { issuer: base, authorization_endpoint: base + authorize, token_endpoint: base + token };
  const proof = oauth.ClientSecretPost(client_secret);
  const state = oauth.generateRandomState();
  const verifier = oauth.generateRandomCodeVerifier();

  const callback = await check(`${name}: the redirect carries a code and the state`, async () => {
    const url = new URL(server.authorization_endpoint);
    url.search = new URLSearchParams({
      response_type: 'code', client_id, redirect_uri, state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
    });
    const back = person(url);
    expectCode(back, state);
    return oauth.validateAuthResponse(server, client, back, state);
  });

  const exchange = async (how, key) => {
    const answer = await oauth.authorizationCodeGrantRequest(server, client, how, callback, redirect_uri, key, loopback);
    return oauth.processAuthorizationCodeResponse(server, client, answer);
  };
  const refusedWith = (status, error) => (why) => {
    assert.equal(why.status, status);
    assert.equal(why.error, error);
    return true;
  };

  await check(`${name}: a wrong secret is invalid_client, and the code outlives it`, () =>
    assert.rejects(exchange(oauth.ClientSecretPost('wrong'), verifier), (why) => {
      // The library reads a challenge before it reads a body; only a surface that takes Basic has one to give.
      const said = hasBasic ? why.cause[0].scheme : why.error;
      assert.deepEqual([why.status, said], [401, hasBasic ? 'basic' : 'invalid_client']);
      return true;
    }));

  await check(`${name}: PKCE, which is nowhere mentioned, is enforced for those who use it`, async () => {
    const other = oauth.generateRandomCodeVerifier();
    await assert.rejects(exchange(proof, other), refusedWith(400, spent));
  });

  const tokens = await check(`${name}: the code is exchanged`, async () => {
    const answer = await exchange(proof, verifier);
    assert.equal(answer.token_type, 'bearer');
    assert.equal('refresh_token' in answer, isRefreshing);
    return answer;
  });

  const askApi = async (accessToken) => {
    const answer = await oauth.protectedResourceRequest(accessToken, 'GET', new URL(base + api), undefined, undefined, loopback);
    const said = await answer.json();
    for (const [member, value] of Object.entries(me)) assert.equal(said[member], value);
  };
  await check(`${name}: the API names the person`, () => askApi(tokens.access_token));

  if (isRefreshing) {
    await check(`${name}: a refresh keeps the refresh token`, async () => {
      const answer = await oauth.refreshTokenGrantRequest(server, client, proof, tokens.refresh_token, loopback);
      const renewed = await oauth.processRefreshTokenResponse(server, client, answer);
      assert.equal(renewed.refresh_token, tokens.refresh_token);
      await askApi(renewed.access_token);
    });
  }

  await check(`${name}: a code that is sent again is ${spent}, and ends its token with a challenge`, async () => {
    await assert.rejects(exchange(proof, verifier), refusedWith(400, spent));
    await assert.rejects(askApi(tokens.access_token), (why) => {
      assert.equal(why.status, 401);
      assert.equal(why.cause[0].scheme, 'bearer');
      assert.equal(why.cause[0].parameters.error, 'invalid_token');
      return true;
    });
  });
}

for (const surface of Object.keys(reached)) await journey(() => codeFlow(surface));
