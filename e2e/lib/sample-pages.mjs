// The pages of sample applications, and the backend of one: served on an origin of their own, as other people's are.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import './loopback.mjs';

const FOLDER = join(import.meta.dirname, '../pages');
const PAGES = ['php-endpoints', 'tinyplus'];
const HTML = { 'content-type': 'text/html; charset=utf-8' };
const JSON_TYPE = { 'content-type': 'application/json' };

/** Starts them. `know` tells them which surface they belong to, and as whom. */
export async function startSamplePages() {
  let settings = {};
  const server = createServer((request, response) => {
    answer(request, settings).then(
      ({ status = 200, headers = HTML, body }) => response.writeHead(status, headers).end(body),
      (error) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    know: (more) => (settings = { ...settings, ...more }),
    stop: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
  };
}

async function answer(request, settings) {
  const { pathname } = new URL(request.url, 'http://127.0.0.1');
  const name = pathname.slice(1);
  if (request.method === 'POST' && pathname === '/php-endpoints/code') {
    return redeem(await text(request), settings['php-endpoints']);
  }
  if (!PAGES.includes(name)) return { status: 404, body: '' };
  const page = await readFile(join(FOLDER, `${name}.html`), 'utf8');
  const { api, client } = settings[name];
  return { body: page.replace('{{api}}', api).replace('{{client_id}}', client.id) };
}

async function text(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

/** The backend of the page at php-endpoints: it alone has the secret. */
async function redeem(body, { api, client }) {
  const { code } = JSON.parse(body);
  const form = new URLSearchParams({ code, client_id: client.id, client_secret: client.secret });
  const answer = await fetch(`${api}/api/token.php`, { method: 'POST', body: form });
  return { status: answer.status, headers: JSON_TYPE, body: await answer.text() };
}
