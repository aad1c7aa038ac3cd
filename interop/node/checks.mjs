// What the Node programs share: checks that print one line each, and the environment that `run` sets.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import dns from 'node:dns';

export const issuer = process.env.ISSUER;
export const clients = JSON.parse(process.env.CLIENTS);
export const surfaces = JSON.parse(process.env.SURFACES);
export const scope = 'profile email links:read';

// Names below `localhost` are this machine's, as RFC 6761 §6.3 asks of everybody who looks up names; the system's own
// look-up, which Node uses, may not know it.
const askTheSystem = dns.lookup;
dns.lookup = (name, ...rest) => askTheSystem(name.endsWith('.localhost') ? '127.0.0.1' : name, ...rest);

class Stopped extends Error {}

/** Prints `ok NAME`, or `not ok NAME: why` if `body` throws, and then ends the journey it is part of. */
export async function check(name, body) {
  try {
    const value = await body();
    console.log(`ok ${name}`);
    return value;
  } catch (why) {
    process.exitCode = 1;
    console.error(why.stack);
    console.log(`not ok ${name}: ${String(why).replace(/\s+/g, ' ')}`);
    throw new Stopped(name);
  }
}

/** Runs one client's journey; a failed check ends it, and the next journey still runs. */
export async function journey(steps) {
  try {
    await steps();
  } catch (why) {
    if (!(why instanceof Stopped)) throw why;
  }
}

/** Sends the person through the pages; answers the address that leads back to the application. */
export function person(url) {
  return new URL(execFileSync(process.env.PERSON, [String(url)], { encoding: 'utf8', timeout: 60_000 }).trim());
}

/** The members that userinfo answers for the scopes `profile` and `email`. */
export function expectPerson(claims) {
  for (const member of ['sub', 'name', 'preferred_username', 'email', 'email_verified']) {
    assert.ok(member in claims, `userinfo lacks ${member}: ${Object.keys(claims)}`);
  }
  assert.equal(claims.preferred_username, process.env.PERSON_USERNAME);
}

/** Userinfo without a library, for those that have no call for it. */
export function userinfo(accessToken) {
  return fetch(`${issuer}/oauth/userinfo`, { headers: { authorization: `Bearer ${accessToken}` } });
}

/** Where the two surfaces that libraries reach as they are have their addresses, and whom their API names. */
export const reached = {
  'php-endpoints': {
    authorize: '/api/authorize.php', token: '/api/token.php', api: '/api/userinfo.php', spent: 'invalid_code',
    me: { username: process.env.PERSON_USERNAME, email: process.env.PERSON_EMAIL, full_name: process.env.PERSON_NAME },
    hasBasic: false, isRefreshing: false,
  },
  paced: {
    authorize: '/oauth/authorize', token: '/oauth/token', api: '/api/v1/me', spent: 'invalid_grant',
    me: { name: process.env.PERSON_NAME, email: process.env.PERSON_EMAIL },
    hasBasic: true, isRefreshing: true,
  },
};

/** Asks the API of a surface with a token; fails unless it names the person. */
export async function expectMe(name, accessToken) {
  const answer = await fetch(surfaces[name] + reached[name].api, { headers: { authorization: `Bearer ${accessToken}` } });
  const said = await answer.json();
  assert.equal(answer.status, 200);
  for (const [member, value] of Object.entries(reached[name].me)) assert.equal(said[member], value);
}

/** Fails unless the address that leads back has a code and this state, and nothing else; answers the code. */
export function expectCode(back, state) {
  assert.deepEqual([...back.searchParams.keys()], ['code', 'state']);
  assert.equal(back.searchParams.get('state'), state);
  return back.searchParams.get('code');
}
