// The four workloads, each answer checked: what the benchmark will ask of the peer, asked here by a plain client.
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';

/** RFC 7636, appendix B. */
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
const IN_FLIGHT = 16;

export class Peer {
  constructor(line) {
    this.line = line;
    this.agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  }

  close() {
    this.agent.destroy();
  }

  send(method, path, headers, body) {
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: this.line.port, method, path, headers, agent: this.agent }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part) => { text += part; }).on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
      });
      asked.on('error', reject).end(body);
    });
  }

  /** A form from the client; what is given comes last, so that it can replace the client's own secret. */
  async post(path, form) {
    const { client_id, client_secret } = this.line;
    const body = new URLSearchParams({ client_id, client_secret, ...form }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) };
    const { status, text } = await this.send('POST', path, headers, body);
    return { status, json: JSON.parse(text) };
  }

  introspect(token, form) {
    return this.post(this.line.endpoints.introspection, { token, ...form });
  }

  token(form) {
    return this.post(this.line.endpoints.token, form);
  }

  refresh(refresh_token) {
    return this.token({ grant_type: 'refresh_token', refresh_token });
  }

  redeem(code, code_verifier = VERIFIER) {
    return this.token({ grant_type: 'authorization_code', code, code_verifier, redirect_uri: this.line.redirect_uri });
  }

  /** Gives where the authorization endpoint sends the browser. */
  async authorize(cookie, without) {
    const { client_id, redirect_uri, scope } = this.line;
    const query = new URLSearchParams({
      response_type: 'code', client_id, redirect_uri, scope, state: 's', code_challenge: CHALLENGE, code_challenge_method: 'S256',
    });
    for (const name of without ?? []) query.delete(name);
    const answer = await this.send('GET', `${this.line.endpoints.authorization}?${query}`, cookie ? { cookie } : {});
    assert.ok([302, 303].includes(answer.status), `authorize: ${answer.status} ${answer.text}`);
    return new URL(answer.headers.location, `http://127.0.0.1:${this.line.port}`);
  }

  async isActive(token) {
    const { status, json } = await this.introspect(token);
    assert.equal(status, 200);
    return json.active;
  }
}

/** Runs `task` for 0, 1, … count − 1, some at once; gives how many ended in a second. */
async function rate(count, task) {
  let next = 0;
  const begun = performance.now();
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, count) }, async () => {
    while (next < count) {
      const at = next;
      next += 1;
      await task(at);
    }
  }));
  return count / ((performance.now() - begun) / 1e3);
}

function refused({ status, json }, error, expected = 400) {
  assert.deepEqual([status, json.error], [expected, error]);
}

export async function introspection(peer, count) {
  const { access_tokens: tokens, client_id, scope } = peer.line;
  const perSecond = await rate(count, async (at) => {
    const { status, json } = await peer.introspect(tokens[(at * 7919) % tokens.length]);
    assert.equal(status, 200);
    assert.deepEqual([json.active, json.client_id, json.scope, json.token_type], [true, client_id, scope, 'Bearer']);
    assert.ok(json.exp - json.iat === 3600);
  });
  for (const token of tokens) assert.match(token, /^[\w-]{43}$/);
  assert.equal(new Set(tokens).size, tokens.length);
  assert.equal(await peer.isActive(tokens.at(-1)), true, 'the last seeded token is there');
  assert.equal(await peer.isActive('A'.repeat(43)), false);
  refused(await peer.introspect(tokens[0], { client_secret: 'wrong' }), 'invalid_client', 401);
  return perSecond;
}

export async function clientCredentials(peer, count) {
  const { scope } = peer.line;
  const given = new Set();
  const perSecond = await rate(count, async () => {
    const { status, json } = await peer.token({ grant_type: 'client_credentials', scope });
    assert.equal(status, 200);
    assert.deepEqual([json.token_type, json.expires_in, json.scope], ['Bearer', 3600, scope]);
    given.add(json.access_token);
  });
  assert.equal(given.size, count);
  for (const token of [...given].slice(0, 20)) assert.equal(await peer.isActive(token), true);
  return perSecond;
}

/** A chain that is being refreshed is out of the queue, so that no token is used twice until that is the question. */
export async function refreshing(peer, count) {
  const chains = peer.line.refresh_tokens.map((token) => [token]);
  const queue = [...chains];
  let access;
  const perSecond = await rate(count, async () => {
    const chain = queue.shift();
    const old = chain.at(-1);
    const { status, json } = await peer.refresh(old);
    assert.equal(status, 200, JSON.stringify(json));
    assert.match(json.refresh_token, /^[\w-]{43}$/);
    assert.notEqual(json.refresh_token, old);
    access = json.access_token;
    chain.push(json.refresh_token);
    queue.push(chain);
  });
  assert.equal(await peer.isActive(access), true);
  for (const chain of chains) {
    assert.equal(new Set(chain).size, chain.length);
    assert.equal(await peer.isActive(chain.at(-1)), true);
    refused(await peer.refresh(chain.at(-2)), 'invalid_grant');
    refused(await peer.refresh(chain.at(-1)), 'invalid_grant');
  }
  assert.equal(await peer.isActive(access), false, 'a replayed refresh token takes its grant along');
  return perSecond;
}

async function code(peer, cookie) {
  const to = await peer.authorize(cookie);
  assert.ok(to.href.startsWith(`${peer.line.redirect_uri}?`), `the browser is sent to ${to}`);
  assert.equal(to.searchParams.get('state'), 's');
  return to.searchParams.get('code');
}

export async function codeFlow(peer, count, cookies) {
  let last;
  const perSecond = await rate(count, async (at) => {
    const { status, json } = await peer.redeem(await code(peer, cookies[at % cookies.length]));
    assert.equal(status, 200, JSON.stringify(json));
    assert.deepEqual([json.token_type, json.scope], ['Bearer', peer.line.scope]);
    assert.ok(json.refresh_token);
    last = json;
  });
  assert.equal(await peer.isActive(last.access_token), true);
  assert.equal((await peer.refresh(last.refresh_token)).status, 200);
  return perSecond;
}

/** What must be refused. It spends the grant of the cookie's session. */
export async function refusals(peer, cookie) {
  const stranger = await peer.authorize(undefined);
  assert.match(stranger.pathname, /^\/interaction\//);
  const forged = await peer.authorize(cookie.replace(/\.sig=.{4}/, '.sig=AAAA'));
  assert.match(forged.pathname, /^\/interaction\//, 'a cookie with a wrong signature is none');
  const withoutPkce = await peer.authorize(cookie, ['code_challenge', 'code_challenge_method']);
  assert.equal(withoutPkce.searchParams.get('error'), 'invalid_request');
  refused(await peer.redeem(await code(peer, cookie), 'x'.repeat(43)), 'invalid_grant');
  const spent = await code(peer, cookie);
  const { status, json } = await peer.redeem(spent);
  assert.equal(status, 200);
  refused(await peer.redeem(spent), 'invalid_grant');
  assert.equal(await peer.isActive(json.access_token), false, 'a replayed code takes its tokens along');
}

/** Redeems each of so many codes eight times at once; gives how many of them worked more than once. Told, not judged. */
export async function racedCodes(peer, count, cookies) {
  let twice = 0;
  for (let at = 0; at < count; at += 1) {
    const raced = await code(peer, cookies[at % cookies.length]);
    const answers = await Promise.all(Array.from({ length: 8 }, () => peer.redeem(raced)));
    if (answers.filter(({ status }) => status === 200).length > 1) twice += 1;
  }
  return twice;
}
