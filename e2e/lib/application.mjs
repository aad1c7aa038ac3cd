// The application that people connect: a page on loopback where the browser comes back, and the calls that an
// application then makes.
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

const PAGE = `<!doctype html><html lang="en"><title>Application</title><main><h1>Back at the application</h1></main></html>`;

/** Starts the application's page. `posts` collects the bodies that browsers posted to it (response_mode=form_post). */
export async function startApplication() {
  const posts = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      if (request.method === 'POST') posts.push(new URLSearchParams(body));
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const callback = `http://127.0.0.1:${server.address().port}/callback`;
  const stop = () => new Promise((resolve) => {
    server.closeAllConnections();
    server.close(resolve);
  });
  return { callback, posts, stop };
}

/** Begins a flow: the address to open, and what is needed to finish it. `more` adds or replaces parameters. */
export function beginFlow(site, client, more = {}) {
  const state = randomBytes(12).toString('base64url');
  const verifier = site.keepSecret(randomBytes(32).toString('base64url'));
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: client.id,
    redirect_uri: client.redirectUri,
    scope: 'profile links:read',
    state,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...more,
  });
  return { url: `${site.origin}/oauth/authorize?${query}`, state, verifier };
}

/** Redeems a code. Gives the status and the body of the answer. */
export async function redeem(site, client, flow, code) {
  const form = { grant_type: 'authorization_code', code, redirect_uri: client.redirectUri, code_verifier: flow.verifier };
  const answer = await post(site, '/oauth/token', client, form);
  for (const name of ['access_token', 'refresh_token']) {
    if (answer.body[name]) site.keepSecret(answer.body[name]);
  }
  return answer;
}

/** Asks what a token is worth, as an API does. */
export function introspect(site, client, token) {
  return post(site, '/oauth/introspect', client, { token });
}

/** Asks for the profile behind an access token. */
export async function userinfo(site, accessToken) {
  const headers = { authorization: `Bearer ${accessToken}` };
  const response = await fetch(`${site.origin}/oauth/userinfo`, { headers });
  return { status: response.status, body: await response.json().catch(() => ({})) };
}

async function post(site, path, client, form) {
  const [id, secret] = [client.id, client.secret].map(encodeURIComponent);
  const response = await fetch(site.origin + path, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    body: new URLSearchParams(form),
  });
  return { status: response.status, body: await response.json().catch(() => ({})) };
}
