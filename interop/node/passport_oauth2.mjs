// passport with passport-oauth2: a web application's two routes, /login and /callback, with state and PKCE in the session.

import assert from 'node:assert/strict';
import passport from 'passport';
import OAuth2Strategy from 'passport-oauth2';
import { check, clients, expectPerson, issuer, journey, person, scope, userinfo } from './checks.mjs';

function strategyFor(registered) {
  const strategy = new OAuth2Strategy(
    {
      authorizationURL: `${issuer}/oauth/authorize`,
      tokenURL: `${issuer}/oauth/token`,
      clientID: registered.client_id,
      clientSecret: registered.client_secret,
      callbackURL: registered.redirect_uri,
      scope: scope.split(' '),
      state: true,
      pkce: 'S256',
    },
    (accessToken, refreshToken, answer, profile, done) => done(null, { ...profile, accessToken, refreshToken, answer }),
  );
  strategy.userProfile = (accessToken, done) => {
    userinfo(accessToken).then((answer) => answer.json()).then((claims) => done(null, claims), done);
  };
  return strategy;
}

/** Runs passport's middleware on a request as a framework would hand it over; answers where it led. */
function route(name, session, query) {
  return new Promise((resolve, reject) => {
    const request = { session, query };
    const response = {
      setHeader: (header, value) => header === 'Location' && resolve({ location: value }),
      end: (text) => reject(new Error(`refused with ${response.statusCode} ${text ?? ''}`)),
    };
    passport.authenticate(name, { session: false })(request, response, (why) =>
      why ? reject(why) : resolve({ user: request.user }));
  });
}

async function codeFlow(name, registered) {
  passport.use(name, strategyFor(registered));
  const session = {};

  const query = await check(`${name}: the redirect carries the state and the issuer`, async () => {
    const { location } = await route(name, session, {});
    const asked = new URL(location).searchParams;
    assert.equal(asked.get('code_challenge_method'), 'S256');
    const back = Object.fromEntries(person(location).searchParams);
    assert.equal(back.state, asked.get('state'));
    assert.equal(back.iss, issuer);
    return back;
  });

  const user = await check(`${name}: the callback signs the person in`, async () => {
    const { user: signedIn } = await route(name, session, query);
    expectPerson(signedIn);
    assert.ok(signedIn.refreshToken);
    return signedIn;
  });

  await check(`${name}: the same callback does not work twice`, async () =>
    assert.rejects(route(name, session, query), /403/));

  const { accessToken } = await check(`${name}: the refresh token is rotated`, async () => {
    // passport itself never refreshes; the client below it does.
    const oauth = passport._strategy(name)._oauth2;
    const rotated = await new Promise((resolve, reject) => {
      oauth.getOAuthAccessToken(user.refreshToken, { grant_type: 'refresh_token' }, (why, accessToken, refreshToken) =>
        why ? reject(new Error(JSON.stringify(why))) : resolve({ accessToken, refreshToken }));
    });
    assert.notEqual(rotated.refreshToken, user.refreshToken);
    expectPerson(await (await userinfo(rotated.accessToken)).json());
    return rotated;
  });

  await check(`${name}: userinfo refuses with 401 after the access token was revoked`, async () => {
    const { client_id, client_secret } = registered;
    const body = new URLSearchParams({ token: accessToken, client_id, client_secret });
    assert.equal((await fetch(`${issuer}/oauth/revoke`, { method: 'POST', body })).status, 200);
    assert.equal((await userinfo(accessToken)).status, 401);
  });
}

await journey(() => codeFlow('passport-oauth2 confidential', clients.confidential));
await journey(() => codeFlow('passport-oauth2 confidential, parameters only', clients.post));
