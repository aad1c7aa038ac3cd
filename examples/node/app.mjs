// A web application with "Sign in with Grantry", in nothing but Node's own modules (20 or newer).
//
//   ISSUER=https://auth.example.com CLIENT_ID=… CLIENT_SECRET=… node app.mjs
//
// Then open http://127.0.0.1:8910/. Register http://127.0.0.1:8910/callback as the client's redirect URI.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const { ISSUER, CLIENT_ID, CLIENT_SECRET } = process.env;
const REDIRECT_URI = process.env.REDIRECT_URI ?? 'http://127.0.0.1:8910/callback';

const random = () => randomBytes(32).toString('base64url');
const sha256 = (text) => createHash('sha256').update(text).digest();
const escape = (text) => String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** One JSON request; what is not a success is thrown. */
async function ask(url, options) {
  const response = await fetch(url, { ...options, signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`The server said ${response.status} ${await response.text()}`);
  return response.json();
}

const server = await ask(`${ISSUER}/.well-known/oauth-authorization-server`);

/** Where to send the browser (RFC 6749 section 4.1.1, with the PKCE of RFC 7636). */
function authorization(state, verifier) {
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT_ID,
    redirect_uri: REDIRECT_URI,
    scope: 'profile email',
    state,
    code_challenge: sha256(verifier).toString('base64url'),
    code_challenge_method: 'S256',
  });
  return url.href;
}

/** The person behind a callback; refuses one that this browser did not ask for (RFC 9700 section 4.7). */
async function signedIn(query, cookie) {
  const [state, verifier] = cookie.split('.');
  if (!verifier || !timingSafeEqual(sha256(query.get('state') ?? ''), sha256(state))) {
    throw new Error('This sign-in was not started here.');
  }
  if (query.get('iss') !== server.issuer) throw new Error('The answer is from another server.');
  if (query.has('error')) throw new Error(`The server said ${query.get('error')}.`);
  const tokens = await ask(server.token_endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: query.get('code'),
      redirect_uri: REDIRECT_URI,
      code_verifier: verifier,
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
    }),
  });
  return ask(server.userinfo_endpoint, { headers: { authorization: `Bearer ${tokens.access_token}` } });
}

async function site(request, response) {
  const url = new URL(request.url, REDIRECT_URI);
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  if (url.pathname === '/login') {
    const [state, verifier] = [random(), random()];
    // State and verifier stay with this browser; over https add `; Secure`.
    response.setHeader('Set-Cookie', `sign-in=${state}.${verifier}; HttpOnly; SameSite=Lax; Path=/`);
    response.writeHead(302, { Location: authorization(state, verifier) }).end();
  } else if (url.pathname === '/callback') {
    const cookie = /(?:^|;\s*)sign-in=([^;]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
    const person = await signedIn(url.searchParams, cookie);
    response.setHeader('Set-Cookie', 'sign-in=; Max-Age=0; Path=/');
    response.end(`<p>Hello, ${escape(person.name)} (${escape(person.preferred_username)}).</p>`);
  } else {
    response.end('<p><a href="/login">Sign in</a></p>');
  }
}

const listener = createServer((request, response) => {
  site(request, response).catch((why) => response.writeHead(400).end(`<p>${escape(why.message)}</p>`));
});
const { hostname, port, host } = new URL(REDIRECT_URI);
listener.listen(port, hostname, () => console.log(`Open http://${host}/`));
