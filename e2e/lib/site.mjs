// The server under test: the real binary with a folder, a configuration and ports of its own, filled through its own
// command line, as an operator would.
import { execFile, spawn } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_MS_MAX = 20_000;
const STOP_MS_MAX = 10_000;
const COMMAND_MS_MAX = 20_000;

/** Where screenshots and server logs go. */
export const OUTPUT = join(import.meta.dirname, '../../target/e2e');

const SCOPES = `
[dialect.standard.scope]
list = { profile = "See your name", "links:read" = "Read your links", "links:write" = "Create and change your links" }
`;

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/**
 * Starts a server on a fresh database. `name` names its log; `settings` are configuration values as environment
 * variables, such as GRANTRY_LOCKOUT__ACCOUNT_FAILURES. `more` gives more lines for the configuration file, from the port.
 */
export async function startSite(name, settings = {}, more = () => '') {
  const binary = process.env.GRANTRY_BIN;
  if (!binary) throw new Error('GRANTRY_BIN is not set: start the tests with e2e/run');
  const folder = await mkdtemp(join(tmpdir(), 'grantry-e2e-'));
  const [port, adminPort] = [await freePort(), await freePort()];
  const site = new Site(binary, folder, `http://localhost:${port}`, {
    PATH: process.env.PATH,
    GRANTRY_ISSUER: `http://localhost:${port}`,
    GRANTRY_LISTEN: `127.0.0.1:${port}`,
    GRANTRY_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    GRANTRY_STORE__URL: `sqlite:${join(folder, 'grantry.db')}`,
    ...settings,
  });
  try {
    await site.run(['init', '--dir', folder]);
    await appendFile(site.config, SCOPES + more(port));
    await site.serve(name, `http://127.0.0.1:${adminPort}/readyz`);
  } catch (error) {
    await site.stop().catch(() => {});
    throw error;
  }
  return site;
}

class Site {
  #binary;
  #folder;
  #environment;
  #process;
  #exited;
  #log;
  #people = 0;
  #secrets = new Set();

  constructor(binary, folder, origin, environment) {
    this.#binary = binary;
    this.#folder = folder;
    this.#environment = environment;
    this.origin = origin;
    this.config = join(folder, 'grantry.toml');
  }

  /** Runs one command of the binary; `input` goes to its standard input. Gives its standard output. */
  run(words, input = '') {
    return new Promise((resolve, reject) => {
      const options = { env: this.#environment, cwd: this.#folder, timeout: COMMAND_MS_MAX };
      const child = execFile(this.#binary, words, options, (error, stdout, stderr) => {
        if (error) reject(new Error(`grantry ${words.join(' ')}: ${error.message}\n${stdout}${stderr}`));
        else resolve(stdout);
      });
      child.stdin.on('error', () => {}); // a command that reads no input may be gone already
      child.stdin.end(input);
    });
  }

  /** Runs a command with `--json` and gives the document that it prints. */
  async ask(words, input) {
    return JSON.parse(await this.run([...words, '--config', this.config, '--json'], input));
  }

  async serve(name, readyUrl) {
    await mkdir(join(OUTPUT, 'logs'), { recursive: true });
    this.#log = join(OUTPUT, 'logs', `${name}.log`);
    const log = await open(this.#log, 'w');
    const options = { env: this.#environment, cwd: this.#folder, stdio: ['ignore', log.fd, log.fd] };
    this.#process = spawn(this.#binary, ['serve', '--config', this.config], options);
    this.#exited = new Promise((resolve) => this.#process.once('exit', (code, signal) => resolve(signal ?? code)));
    await log.close();
    const until = Date.now() + START_MS_MAX;
    while (!(await isReady(readyUrl))) {
      if ((this.#process.exitCode ?? this.#process.signalCode) !== null || Date.now() > until) {
        throw new Error(`the server did not start:\n${await readFile(this.#log, 'utf8')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Remembers a value that must never stand in the server's log. */
  keepSecret(value) {
    this.#secrets.add(value);
    return value;
  }

  /** Adds a person with a name and a password of their own. */
  async addPerson(firstName = 'Alice') {
    const username = `${firstName.toLowerCase()}${++this.#people}`;
    const password = this.keepSecret(`violet-harbour-${username}-42`);
    const email = `${username}@example.com`;
    const name = `${firstName} Doe`;
    const words = ['user', 'add', '--email', email, '--name', name, '--username', username, '--password-stdin'];
    const user = await this.ask(words, password);
    return { id: user.id, username, email, name, password };
  }

  /** Gives a person a second factor; they then have `secret` and `recoveryCodes`. */
  async giveSecondFactor(person) {
    const factor = await this.ask(['user', 'totp', person.username, '--enable']);
    person.secret = this.keepSecret(factor.secret);
    person.recoveryCodes = factor.recovery_codes.map((code) => this.keepSecret(code));
    return person;
  }

  /** Registers a confidential application that comes back to `redirectUri`. */
  async addClient(name, redirectUri, scope = 'profile links:read links:write', more = []) {
    const words = ['client', 'add', '--dialect', 'standard', '--name', name, '--redirect-uri', redirectUri];
    const client = await this.ask([...words, '--kind', 'confidential', '--scope', scope, ...more]);
    return { id: client.client_id, secret: this.keepSecret(client.client_secret), name, redirectUri };
  }

  /** Stops the server. Fails if it had died or panicked, or if it wrote a secret into its log. */
  async stop() {
    const diedBefore = this.#process?.exitCode ?? this.#process?.signalCode ?? null;
    if (this.#process && diedBefore === null) await this.#terminate();
    await rm(this.#folder, { recursive: true, force: true });
    if (!this.#log) return;
    const log = await readFile(this.#log, 'utf8');
    if (diedBefore !== null) throw new Error(`the server had died with ${diedBefore}:\n${log}`);
    if (/panicked at/.test(log)) throw new Error(`the server panicked:\n${log}`);
    for (const secret of this.#secrets) {
      if (log.includes(secret)) throw new Error(`the server wrote a secret into ${this.#log}`);
    }
  }

  async #terminate() {
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS_MAX);
    const end = await this.#exited;
    clearTimeout(timer);
    if (end !== 0) throw new Error(`asked to stop, the server ended with ${end}`);
  }
}

async function isReady(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
