// Starts oidc-provider as the peer of the benchmark, seeded, and says in one line of JSON on stdout how to ask it.
// See README.md. It ends on SIGTERM, and when its stdin closes.
import cluster from 'node:cluster';
import { Console } from 'node:console';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

process.env.NODE_ENV = 'production';
// oidc-provider's notices go to console.info. Stdout belongs to the one line of JSON.
globalThis.console = new Console(process.stderr);

const { CLIENT_ID, CLIENT_SECRET, ENDPOINTS, REDIRECT_URI, SCOPE, createProvider } = await import('./configuration.mjs');
const { createMemoryAdapter } = await import('./memory-adapter.mjs');
const { connect, openForSeeding } = await import('./postgres-adapter.mjs');
const { seed } = await import('./seed.mjs');

const USAGE = `node server.mjs --port N --adapter memory|postgres [--database postgres://…] [--workers 1|2] [--tokens N]
  [--refresh N] [--sessions N] [--connections N]`;

function options() {
  const text = (value) => ({ type: 'string', default: value });
  const { values } = parseArgs({
    options: {
      port: text('0'),
      adapter: text('memory'),
      database: { type: 'string' },
      workers: text('1'),
      tokens: text('1000'),
      refresh: text('64'),
      sessions: text('512'),
      connections: text('20'),
    },
  });
  for (const name of ['port', 'workers', 'tokens', 'refresh', 'sessions', 'connections']) {
    if (!/^\d+$/.test(values[name])) refuse(`--${name} is not a number`);
    values[name] = Number(values[name]);
  }
  if (!['memory', 'postgres'].includes(values.adapter)) refuse('--adapter is memory or postgres');
  if (values.adapter === 'postgres' && !values.database) refuse('--adapter postgres needs --database');
  if (values.workers < 1) refuse('--workers is at least 1');
  if (values.adapter === 'memory' && values.workers !== 1) refuse('processes share no memory: --adapter memory has one worker');
  if (values.sessions < 1) refuse('--sessions is at least 1');
  return values;
}

function refuse(why) {
  console.error(`peer: ${why}\n${USAGE}`);
  process.exit(2);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** What all processes have in common. */
function makeKeys() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'bench' };
  return { jwks: { keys: [jwk] }, cookies: [randomBytes(32).toString('base64url')] };
}

async function listen(provider, port) {
  provider.on('server_error', (ctx, error) => console.error('peer:', error));
  const server = createServer(provider.callback()).listen(port, '127.0.0.1');
  await once(server, 'listening');
}

async function workOnPostgres({ issuer, port, database, connections, keys }) {
  await listen(createProvider(issuer, await connect(database, connections), keys), port);
}

/** Starts the workers, and gives their process ids once all of them listen. */
async function startWorkers(setup, count) {
  const workers = Array.from({ length: count }, () => cluster.fork({ PEER_SETUP: JSON.stringify(setup) }));
  cluster.on('exit', (worker, code, signal) => {
    console.error(`peer: worker ${worker.process.pid} has ended (${signal ?? code})`);
    process.exit(1);
  });
  await Promise.all(workers.map((worker) => once(worker, 'listening')));
  return workers.map((worker) => worker.process.pid);
}

function endWithTheBenchmark() {
  // Workers end by themselves when their primary is gone.
  process.on('SIGTERM', () => process.exit(0));
  process.stdin.on('end', () => process.exit(0)).on('error', () => process.exit(0)).resume();
}

async function main() {
  const { adapter, database, connections, workers, ...rest } = options();
  endWithTheBenchmark();
  const port = rest.port || await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const keys = makeKeys();
  const pids = [process.pid];
  let seeded;
  if (adapter === 'memory') {
    const provider = createProvider(issuer, createMemoryAdapter(), keys);
    seeded = await seed(provider, rest, keys.cookies[0]);
    await listen(provider, port);
  } else {
    const seeding = await openForSeeding(database);
    seeded = await seed(createProvider(issuer, seeding.adapter, keys), rest, keys.cookies[0]);
    await seeding.finish();
    const setup = { issuer, port, database, connections: Math.ceil(connections / workers), keys };
    if (workers === 1) await workOnPostgres(setup);
    else pids.push(...await startWorkers(setup, workers));
  }
  const line = {
    port,
    pids,
    client_id: CLIENT_ID,
    client_secret: CLIENT_SECRET,
    scope: SCOPE,
    redirect_uri: REDIRECT_URI,
    endpoints: ENDPOINTS,
    session_cookie: seeded.session_cookies[0],
    ...seeded,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

if (cluster.isPrimary) await main();
else await workOnPostgres(JSON.parse(process.env.PEER_SETUP));
