import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { DIALECTS, type Dialect } from './dialects.ts';

/** A server that takes part. */
export interface Contestant {
  readonly name: string;
  /** Where it listens; a free port by default. */
  readonly port?: number;
  readonly command: (port: number) => readonly string[];
  readonly dialect: Dialect;
}

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** The first one is compared with all others. */
export const CONTESTANTS: readonly Contestant[] = [
  {
    name: 'countersign',
    command: (port) => [
      ...[process.execPath, '--max-semi-space-size=4', path('../../../server/dist/cli/main.js'), 'start'],
      ...['--config', path('../broker.json'), '--port', String(port)],
    ],
    dialect: DIALECTS.pusher,
  },
  {
    name: 'bare',
    command: (port) => [process.execPath, path('peers/bare.js'), String(port)],
    dialect: DIALECTS.pusher,
  },
  {
    name: 'ws',
    command: (port) => [process.execPath, path('peers/ws.js'), String(port)],
    dialect: DIALECTS.pusher,
  },
  {
    name: 'socket.io',
    command: (port) => [process.execPath, path('peers/socket-io.js'), String(port)],
    dialect: DIALECTS.socketio,
  },
];

/** @param text as in `name=soketi,port=6001,dialect=pusher :: soketi start`; `{port}` in the command is its port */
export function parsePeer(text: string): Contestant {
  const [, head = '', command] = /^(.*?)\s+::\s+(.+)$/s.exec(text) ?? [];
  if (command === undefined) throw new Error(`--peer needs 'name=… :: command', not '${text}'`);
  const fields = new Map(head.split(',').map((field) => field.split('=', 2) as [string, string | undefined]));
  const unknown = [...fields.keys()].find((key) => !['name', 'port', 'dialect'].includes(key));
  if (unknown !== undefined) throw new Error(`--peer has no '${unknown}', only name, port and dialect`);
  const name = fields.get('name');
  if (!name) throw new Error(`--peer needs a name: '${text}'`);
  if (CONTESTANTS.some((contestant) => contestant.name === name)) throw new Error(`'${name}' is taken`);
  const dialect = fields.get('dialect') ?? 'pusher';
  if (!isDialect(dialect)) throw new Error(`'${dialect}' is none of ${Object.keys(DIALECTS).join(', ')}`);
  const port = fields.get('port');
  if (port !== undefined && !/^\d{1,5}$/.test(port)) throw new Error(`'${port}' is no port`);
  return {
    name,
    ...(port !== undefined && { port: Number(port) }),
    // The shell becomes the server, so that the process that is measured and ended is the server itself.
    command: (port) => ['sh', '-c', `exec ${command.replaceAll('{port}', String(port))}`],
    dialect: DIALECTS[dialect],
  };
}

function isDialect(text: string): text is keyof typeof DIALECTS {
  return Object.hasOwn(DIALECTS, text);
}

/** Milliseconds in which a server must listen. */
const DEADLINE_MS = 20_000;
/** Milliseconds in which a server has to have dealt with what the last run left behind. */
const SETTLE_LIMIT_MS = 10_000;

/** A running contestant. */
export class RunningServer {
  private constructor(
    readonly pid: number,
    readonly port: number,
    readonly process: ChildProcess,
  ) {}

  /** Starts it, on the first processor if processes can be bound to one. */
  static async start(contestant: Contestant): Promise<RunningServer> {
    const port = contestant.port ?? (await freePort());
    // A server that shares its port with another one would get half of the connections, and nobody would say so.
    if (await listens(port)) throw new Error(`port ${port} is in use`);
    const [command = '', ...args] = onProcessor(0, contestant.command(port));
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    await once(child, 'spawn');
    const server = new RunningServer(child.pid ?? 0, port, child);
    const until = performance.now() + DEADLINE_MS;
    while (!(await listens(port))) {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
      if (performance.now() > until) {
        await server.stop();
        throw new Error(`it does not listen on ${port}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return server;
  }

  /** Resolves when it has used at most 10 ms of its processor for a quarter of a second. */
  async settled(): Promise<void> {
    const until = performance.now() + SETTLE_LIMIT_MS;
    for (let last = this.#ticks(); performance.now() < until; ) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      const now = this.#ticks();
      if (now - last <= 1) return;
      last = now;
    }
  }

  /** Hundredths of a second of processor time so far; 0 where the system does not tell. */
  #ticks(): number {
    try {
      const [, fields = ''] = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(/\) (?!.*\) )/);
      const [user, system] = fields.split(' ').slice(11, 13).map(Number);
      return (user ?? 0) + (system ?? 0);
    } catch {
      return 0;
    }
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    // Its connections are gone by now, so nothing is owed to anybody.
    this.process.kill('SIGKILL');
    await ended;
  }
}

const hasTaskset = spawnSync('taskset', ['--version']).status === 0;

/** A command that runs on one processor only, as far as the system allows. */
export function onProcessor(processor: number, command: readonly string[]): readonly string[] {
  return hasTaskset ? ['taskset', '-c', String(processor), ...command] : command;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const say = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => say(true));
    socket.once('error', () => say(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
