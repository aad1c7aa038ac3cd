// What the Node programs share: checks that print one line each, and the environment that `run` sets.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';

export const issuer = process.env.ISSUER;
export const clients = JSON.parse(process.env.CLIENTS);
export const scope = 'profile email links:read';

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
