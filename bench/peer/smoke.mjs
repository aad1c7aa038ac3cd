// Starts the peer with both adapters, asks it all four workloads, checks every answer, and checks that it ends when it should.
// The rates are for orientation: the client shares the machine and is no load generator.
//
//   node smoke.mjs [memory|postgres …]
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

import { startPostgres } from './temporary-postgres.mjs';
import { Peer, clientCredentials, codeFlow, introspection, racedCodes, refreshing, refusals } from './workloads.mjs';

const SERVER = fileURLToPath(new URL('server.mjs', import.meta.url));
const SCALE = { tokens: 20_000, refresh: 64, sessions: 512 };
const ENDS_WITHIN_MS = 3_000;

async function start(args) {
  const child = spawn(process.execPath, [SERVER, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  const begun = performance.now();
  await Promise.race([
    once(reader, 'line'),
    once(child, 'exit').then(() => { throw new Error('the peer ended before it was ready'); }),
  ]);
  return { child, lines, line: JSON.parse(lines[0]), took: performance.now() - begun };
}

function lives(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Ends the peer in one of three ways, and waits until none of its processes is left. */
async function end({ child, line, lines }, how) {
  const ended = once(child, 'exit');
  if (how === 'stdin') child.stdin.end();
  else child.kill(how);
  await ended;
  const deadline = Date.now() + ENDS_WITHIN_MS;
  while (line.pids.some(lives)) {
    assert.ok(Date.now() < deadline, `processes are left after ${how}`);
    await sleep(10);
  }
  assert.equal(lines.length, 1, 'stdout has one line');
}

function args(adapter, workers, { tokens, refresh, sessions }, database) {
  const own = ['--adapter', adapter, '--workers', workers, '--tokens', tokens, '--refresh', refresh, '--sessions', sessions];
  return [...own, ...(database ? ['--database', database] : [])].map(String);
}

async function exercise(adapter, workers, database) {
  const begun = await start(args(adapter, workers, SCALE, database));
  // Where a check fails, the peer ends before its PostgreSQL does.
  try {
    await ask(begun, adapter, workers);
  } finally {
    await end(begun, 'SIGTERM');
  }
}

async function ask(begun, adapter, workers) {
  const peer = new Peer(begun.line);
  const cookies = begun.line.session_cookies;
  assert.equal(begun.line.session_cookie, cookies[0]);
  assert.equal(begun.line.pids.length, workers === 1 ? 1 : workers + 1);
  console.log(`${adapter}, ${workers} worker(s): seeded and ready after ${(begun.took / 1e3).toFixed(1)} s`);
  const say = (what, perSecond) => console.log(`  ${what.padEnd(48)} ${perSecond.toFixed(0).padStart(6)}/s`);
  say('introspection', await introspection(peer, 10_000));
  say('client_credentials', await clientCredentials(peer, 6_000));
  say('refresh with rotation', await refreshing(peer, 3_200));
  say(`whole code flow, ${cookies.length} sessions`, await codeFlow(peer, 1_600, cookies));
  say('whole code flow, one session', await codeFlow(peer, 4_000, [begun.line.session_cookie]));
  await refusals(peer, cookies.at(-1));
  console.log(`  codes of 50, each redeemed 8 times at once, that worked more than once: ${await racedCodes(peer, 50, cookies)}`);
  peer.close();
}

/** It must not outlive the benchmark, however that ends. */
async function ends(adapter, workers, database) {
  const few = { tokens: 10, refresh: 1, sessions: 1 };
  for (const how of ['stdin', 'SIGKILL']) await end(await start(args(adapter, workers, few, database)), how);
  console.log('  it ends on SIGTERM, on SIGKILL, and when its stdin closes');
}

const asked = process.argv.slice(2);
const isAsked = (adapter) => asked.length === 0 || asked.includes(adapter);
if (isAsked('memory')) {
  await exercise('memory', 1);
  await ends('memory', 1);
}
if (isAsked('postgres')) {
  const postgres = await startPostgres();
  try {
    await exercise('postgres', 2, postgres.url);
    await ends('postgres', 2, postgres.url);
  } finally {
    await postgres.stop();
  }
}
console.log('all answers were right');
