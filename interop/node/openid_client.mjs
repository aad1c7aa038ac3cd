// openid-client (on oauth4webapi): OpenID Connect, discovery by RFC 8414, a public client, Basic, parameters, client_credentials.

import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { check, clients, expectPerson, issuer, journey, person, scope } from './checks.mjs';

// The issuer is plain HTTP on loopback; openid-client refuses that unless told otherwise. `oauth2` asks for
// /.well-known/oauth-authorization-server instead of openid-configuration.
const discovery = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] };

const configure = ({ client_id }, authentication) =>
  client.discovery(new URL(issuer), client_id, undefined, authentication, discovery);

async function codeFlow(name, registered, authentication, mayIntrospect) {
  const config = await check(`${name}: the metadata is found and names the issuer`, () =>
    configure(registered, authentication));

  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const landed = await check(`${name}: the redirect carries the state and the issuer`, async () => {
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: registered.redirect_uri,
      scope,
      state,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const back = person(url);
    assert.equal(back.searchParams.get('state'), state);
    assert.equal(back.searchParams.get('iss'), config.serverMetadata().issuer);
    return back;
  });

  const tokens = await check(`${name}: the code is exchanged for tokens`, async () => {
    const answer = await client.authorizationCodeGrant(config, landed, {
      pkceCodeVerifier: verifier,
      expectedState: state,
    });
    assert.ok(answer.refresh_token);
    assert.ok(answer.expiresIn() > 0);
    return answer;
  });

  await check(`${name}: userinfo names the person`, async () =>
    expectPerson(await client.fetchUserInfo(config, tokens.access_token, client.skipSubjectCheck)));

  const rotated = await check(`${name}: the refresh token is rotated`, async () => {
    const answer = await client.refreshTokenGrant(config, tokens.refresh_token);
    assert.notEqual(answer.refresh_token, tokens.refresh_token);
    assert.notEqual(answer.access_token, tokens.access_token);
    return answer;
  });

  if (mayIntrospect) {
    await check(`${name}: introspection says active`, async () => {
      const answer = await client.tokenIntrospection(config, rotated.access_token);
      assert.equal(answer.active, true);
      assert.equal(answer.client_id, registered.client_id);
    });
  }

  await check(`${name}: userinfo refuses with 401 after the refresh token was revoked`, async () => {
    await client.tokenRevocation(config, rotated.refresh_token, { token_type_hint: 'refresh_token' });
    const request = client.fetchUserInfo(config, rotated.access_token, client.skipSubjectCheck);
    await assert.rejects(request, (why) => {
      assert.equal(why.status, 401);
      assert.equal(why.cause[0].scheme, 'bearer');
      assert.equal(why.cause[0].parameters.error, 'invalid_token');
      return true;
    });
  });
}

/** Signs a person in: discovery as OpenID Connect has it, an ID token with a nonce, userinfo of its subject, and a refresh. */
async function signIn(name, registered, authentication) {
  const config = await check(`${name}: discovery names the issuer and the keys`, async () => {
    const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks];
    const found = await client.discovery(new URL(issuer), registered.client_id, undefined, authentication, { execute });
    assert.ok(found.serverMetadata().jwks_uri);
    return found;
  });
  const verifier = client.randomPKCECodeVerifier();
  const [state, nonce] = [client.randomState(), client.randomNonce()];
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: registered.redirect_uri,
    scope: `openid ${scope}`,
    state,
    nonce,
    max_age: '3600',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const tokens = await check(`${name}: the ID token has its signature, its nonce and the time of the sign-in`, async () => {
    const answer = await client.authorizationCodeGrant(config, person(url), {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      maxAge: 3600,
      idTokenExpected: true,
    });
    assert.equal(answer.claims().aud, registered.client_id);
    return answer;
  });
  const { sub } = tokens.claims();
  await check(`${name}: userinfo is about the subject of the ID token`, async () => {
    await client.fetchUserInfo(config, tokens.access_token, sub);
    await assert.rejects(client.fetchUserInfo(config, tokens.access_token, 'somebody-else'));
  });
  await check(`${name}: a refresh brings an ID token of the same subject`, async () => {
    const answer = await client.refreshTokenGrant(config, tokens.refresh_token);
    assert.equal(answer.claims().sub, sub);
  });
  await check(`${name}: a pushed request begins the same sign-in`, async () => {
    const pushed = await client.buildAuthorizationUrlWithPAR(config, {
      redirect_uri: registered.redirect_uri,
      scope: `openid ${scope}`,
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    assert.ok(pushed.searchParams.get('request_uri'));
    const expected = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
    assert.equal((await client.authorizationCodeGrant(config, person(pushed), expected)).claims().sub, sub);
  });
}

await journey(() => signIn('openid-client OpenID Connect', clients.basic, client.ClientSecretBasic(clients.basic.client_secret)));

await journey(() => codeFlow('openid-client public', clients.public, client.None(), false));

await journey(() => codeFlow('openid-client confidential, Basic', clients.basic,
  client.ClientSecretBasic(clients.basic.client_secret), true));

await journey(() => codeFlow('openid-client confidential, parameters', clients.post,
  client.ClientSecretPost(clients.post.client_secret), true));

await journey(() => check('openid-client machine: client_credentials gives a token', async () => {
  const config = await configure(clients.machine, client.ClientSecretBasic(clients.machine.client_secret));
  const tokens = await client.clientCredentialsGrant(config, { scope: 'links:read' });
  assert.equal(tokens.refresh_token, undefined);
  const answer = await client.tokenIntrospection(config, tokens.access_token);
  assert.deepEqual([answer.active, answer.scope], [true, 'links:read']);
}));
