// A PostgreSQL of its own in a folder of its own: the defaults of the installation (fsync, synchronous_commit on), reached only
// through a socket in that folder. As root it runs as the user `postgres`, because PostgreSQL refuses root.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const INSTALLATIONS = '/usr/lib/postgresql';
const PORT = '54329';
const STARTS_WITHIN_MS = 20_000;
const isRoot = process.getuid() === 0;

function binaries() {
  const newest = readdirSync(INSTALLATIONS).sort((a, b) => Number(b) - Number(a))[0];
  return join(INSTALLATIONS, newest, 'bin');
}

/** A command line as the user that PostgreSQL accepts. */
function asPostgres(program, args) {
  const command = [join(binaries(), program), ...args];
  return isRoot ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', ...command] : command;
}

/** Starts it; gives its URL, and `stop`, which leaves nothing behind. */
export async function startPostgres() {
  const folder = mkdtempSync(join(tmpdir(), 'grantry-peer-'));
  if (isRoot) {
    const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
    chownSync(folder, id('-u'), id('-g'));
  }
  const [initdb, ...initdbArgs] = asPostgres('initdb', ['--auth=trust', '--username=postgres', '-D', join(folder, 'data')]);
  execFileSync(initdb, initdbArgs, { stdio: ['ignore', 'ignore', 'inherit'], cwd: folder });
  const [postgres, ...args] = asPostgres('postgres', [
    '-D', join(folder, 'data'), '-k', folder, '-p', PORT, '-c', 'listen_addresses=', '-c', 'log_min_messages=panic',
  ]);
  const server = spawn(postgres, args, { stdio: ['ignore', 'ignore', 'inherit'], cwd: folder });
  const stop = async () => {
    if (server.exitCode === null) {
      server.kill('SIGINT');
      await once(server, 'exit');
    }
    rmSync(folder, { recursive: true });
  };
  const deadline = Date.now() + STARTS_WITHIN_MS;
  while (!isReady(folder)) {
    if (server.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error('the temporary PostgreSQL did not start');
    }
    await sleep(50);
  }
  return { url: `postgres://postgres@/postgres?host=${encodeURIComponent(folder)}&port=${PORT}`, stop };
}

function isReady(folder) {
  if (!existsSync(join(folder, `.s.PGSQL.${PORT}`))) return false;
  try {
    execFileSync(join(binaries(), 'pg_isready'), ['-q', '-h', folder, '-p', PORT, '-U', 'postgres']);
    return true;
  } catch {
    return false;
  }
}
