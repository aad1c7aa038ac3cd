// The demo as somebody meets it who has just built it: one command, and the addresses that it prints.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_MS_MAX = 30_000;

/** Starts the demo on free ports. Gives the document that `--json` prints, and `stop`. */
export async function startDemo() {
  const folder = await mkdtemp(join(tmpdir(), 'grantry-demo-'));
  const words = ['demo', '--port', '0', '--site-port', '0', '--admin-port', '0', '--dir', join(folder, 'demo'), '--json'];
  const child = spawn(process.env.GRANTRY_BIN, words, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  let [output, errors] = ['', ''];
  child.stderr.on('data', (chunk) => (errors += chunk));
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  const document = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the demo did not start: ${errors}`)), START_MS_MAX);
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (!output.includes('\n')) return;
      clearTimeout(late);
      resolve(JSON.parse(output));
    });
    exited.then((code) => reject(new Error(`the demo ended with ${code}: ${errors}`)));
  });
  try {
    return { document: await document, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
