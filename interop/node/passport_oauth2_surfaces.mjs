// passport with passport-oauth2 at paced and php-endpoints, as it is: with a state, which neither documents.

import assert from 'node:assert/strict';
import passport from 'passport';
import OAuth2Strategy from 'passport-oauth2';
import { check, clients, expectCode, expectMe, journey, person, reached, surfaces } from './checks.mjs';

function strategyFor(surface, clientSecret) {
  const { authorize, token } = reached[surface];
  const { client_id: clientID, redirect_uri: callbackURL } = clients[surface];
  return new OAuth2Strategy(
    {
      authorizationURL: surfaces[surface] + authorize,
      tokenURL: surfaces[surface] + token,
      clientID,
      clientSecret,
      callbackURL,
      state: true,
    },
    (accessToken, refreshToken, answer, profile, done) => done(null, { accessToken, refreshToken, answer }),
  );
}

/** Runs passport's middleware on a request as a framework would hand it over; answers where it led. */
function route(strategy, session, query) {
  return new Promise((resolve, reject) => {
    const response = {
      setHeader: (header, value) => header === 'Location' && resolve({ location: value }),
      end: (text) => reject(new Error(`refused with ${response.statusCode} ${text ?? ''}`)),
    };
    const request = { session, query };
    passport.authenticate(strategy, { session: false })(request, response, (why) =>
      why ? reject(why) : resolve({ user: request.user }));
  });
}

/** Goes to the surface and comes back with a code; answers the session and the query of the callback. */
async function comeBack(strategy) {
  const session = {};
  const { location } = await route(strategy, session, {});
  const back = person(location);
  expectCode(back, new URL(location).searchParams.get('state'));
  return [session, Object.fromEntries(back.searchParams)];
}

async function codeFlow(surface) {
  const name = `passport-oauth2 ${surface}`;
  const { isRefreshing, spent } = reached[surface];
  const strategy = strategyFor(surface, clients[surface].client_secret);

  const [session, query] = await check(`${name}: the redirect carries a code and the state`, () => comeBack(strategy));

  const user = await check(`${name}: the callback signs the person in`, async () => {
    const { user: signedIn } = await route(strategy, session, query);
    assert.equal(Boolean(signedIn.refreshToken), isRefreshing);
    return signedIn;
  });

  await check(`${name}: the API names the person`, () => expectMe(surface, user.accessToken));

  if (isRefreshing) {
    await check(`${name}: a refresh keeps the refresh token`, async () => {
      // passport itself never refreshes; the client below it does.
      const renewed = await new Promise((resolve, reject) => {
        strategy._oauth2.getOAuthAccessToken(user.refreshToken, { grant_type: 'refresh_token' }, (why, accessToken, refreshToken) =>
          why ? reject(new Error(JSON.stringify(why))) : resolve({ accessToken, refreshToken }));
      });
      assert.equal(renewed.refreshToken, user.refreshToken);
      await expectMe(surface, renewed.accessToken);
    });
  }

  await check(`${name}: a code that is sent again is ${spent}, in the library's own error`, async () => {
    const again = await comeBack(strategy);
    again[1].code = query.code;
    await assert.rejects(route(strategy, ...again), { name: 'TokenError', code: spent });
  });

  await check(`${name}: a wrong secret is invalid_client`, async () => {
    const wrong = strategyFor(surface, 'wrong');
    await assert.rejects(route(wrong, ...await comeBack(wrong)), { name: 'TokenError', code: 'invalid_client' });
  });
}

for (const surface of Object.keys(reached)) await journey(() => codeFlow(surface));
