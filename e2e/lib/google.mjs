// A stand-in for Google: an OpenID issuer on loopback with a key of its own, and a page on which a person chooses who they are,
// or refuses. It checks what a real one would: the client, PKCE, and that a code is used once.
import { createHash, createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

const CLIENT = { id: 'grantry.apps.example', secret: 'a secret of the stand-in' };

/** Starts it. `settings` are the configuration values of a server that trusts it. */
export async function startGoogle() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'e2e', use: 'sig', alg: 'RS256' };
  const google = { codes: new Map(), requests: [], privateKey, jwk };
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const url = new URL(request.url, google.issuer);
    const { status, type, text, location } = answer(google, url, request.headers, new URLSearchParams(body));
    response.writeHead(status, location ? { location } : { 'content-type': type }).end(text);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const place = `127.0.0.1:${server.address().port}`;
  google.issuer = `http://${place}`;
  google.settings = {
    GRANTRY_FETCH__ALLOW: place,
    GRANTRY_UPSTREAM__GOOGLE__ISSUER: google.issuer,
    GRANTRY_UPSTREAM__GOOGLE__CLIENT_ID: CLIENT.id,
    GRANTRY_UPSTREAM__GOOGLE__CLIENT_SECRET: CLIENT.secret,
  };
  google.stop = () => new Promise((resolve) => {
    server.closeAllConnections();
    server.close(resolve);
  });
  return google;
}

const json = (status, document) => ({ status, type: 'application/json', text: JSON.stringify(document) });

function answer(google, url, headers, form) {
  const { issuer, jwk } = google;
  switch (url.pathname) {
    case '/.well-known/openid-configuration':
      return json(200, {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
        token_endpoint_auth_methods_supported: ['client_secret_post'],
        authorization_response_iss_parameter_supported: true,
      });
    case '/keys':
      return json(200, { keys: [jwk] });
    case '/authorize':
      google.requests.push({ query: url.searchParams, referer: headers.referer });
      return chooser(url.search);
    case '/choose':
      return chosen(google, url.searchParams, form);
    case '/token':
      return redeemed(google, form);
    default:
      return json(404, {});
  }
}

/** The page of the issuer: a name and an address to type, and a button to refuse. */
function chooser(search) {
  const text = `<!doctype html><html lang="en"><title>Choose an account</title><main><h1>Choose an account</h1>
    <form method="post" action="/choose${search.replaceAll('&', '&amp;').replaceAll('"', '%22')}">
    <input name="sub" aria-label="Subject"><input name="email" aria-label="E-mail">
    <button name="choice" value="continue">Continue</button><button name="choice" value="cancel">Cancel</button></form></main></html>`;
  return { status: 200, type: 'text/html; charset=utf-8', text };
}

function chosen(google, query, form) {
  const back = new URL(query.get('redirect_uri'));
  back.searchParams.set('state', query.get('state'));
  back.searchParams.set('iss', google.issuer);
  if (form.get('choice') === 'cancel') {
    back.searchParams.set('error', 'access_denied');
  } else {
    const code = randomBytes(16).toString('base64url');
    google.codes.set(code, { query, sub: form.get('sub'), email: form.get('email') });
    back.searchParams.set('code', code);
  }
  return { status: 303, location: back.href };
}

function redeemed(google, form) {
  const code = google.codes.get(form.get('code'));
  google.codes.delete(form.get('code'));
  const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
  const isClient = form.get('client_id') === CLIENT.id && form.get('client_secret') === CLIENT.secret;
  if (!isClient) return json(401, { error: 'invalid_client' });
  if (!code || code.query.get('code_challenge') !== challenge || code.query.get('redirect_uri') !== form.get('redirect_uri')) {
    return json(400, { error: 'invalid_grant' });
  }
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: google.issuer, aud: CLIENT.id, azp: CLIENT.id, iat: now, exp: now + 3600, nonce: code.query.get('nonce'),
    sub: code.sub, email: code.email, email_verified: true, name: 'Greta Google',
  };
  if (code.query.has('max_age')) claims.auth_time = now; // OpenID Connect Core §3.1.2.1
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const message = `${encode({ alg: 'RS256', kid: google.jwk.kid, typ: 'JWT' })}.${encode(claims)}`;
  const signature = createSign('RSA-SHA256').update(message).sign(google.privateKey).toString('base64url');
  return json(200, { access_token: 'unused', token_type: 'Bearer', id_token: `${message}.${signature}` });
}
