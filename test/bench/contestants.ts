import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';

/** A server that takes part. */
export interface Contestant {
  readonly name: string;
  /** Arguments of node. */
  readonly args: (port: number) => readonly string[];
  /** What the generator must be told to talk to it, beside the options of the scenario. */
  readonly dialect: (scenarioOptions: string) => readonly string[];
}

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** The first one is compared with all others. */
export const CONTESTANTS: readonly Contestant[] = [
  {
    name: 'countersign',
    args: (port) => [
      '--max-semi-space-size=4',
      path('../../../server/dist/cli/main.js'),
      'start',
      ...['--config', path('../broker.json')],
      ...['--port', String(port)],
    ],
    dialect: () => [],
  },
  { name: 'ws', args: (port) => [path('peers/ws.js'), String(port)], dialect: () => [] },
  {
    name: 'socket.io',
    args: (port) => [path('peers/socket-io.js'), String(port)],
    dialect: (options) => [
      ...['--path', '/socket.io/?EIO=4&transport=websocket'],
      ...['--hello', '0{', '--sub', '40{"channel":"%c"}', '--ack', '40{', '--http-path', '/publish'],
      '--pub',
      options.includes('--publish ws') ? '42["client-m","%m"]' : '{"name":"m","channels":["%c"],"data":"%j"}',
    ],
  },
];

/** Milliseconds in which a server must listen, and in which it must end. */
const DEADLINE_MS = 10_000;

/** A running contestant. */
export class RunningServer {
  private constructor(
    readonly pid: number,
    readonly port: number,
    readonly process: ChildProcess,
  ) {}

  /** Starts it, on the first processor if processes can be bound to one. */
  static async start(contestant: Contestant, port: number): Promise<RunningServer> {
    const [command = '', ...args] = onProcessor(0, [process.execPath, ...contestant.args(port)]);
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    await once(child, 'spawn');
    const until = Date.now() + DEADLINE_MS;
    while (!(await listens(port))) {
      if (child.exitCode !== null) throw new Error(`${contestant.name} ended with ${child.exitCode}`);
      if (Date.now() > until) throw new Error(`${contestant.name} does not listen on ${port}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return new RunningServer(child.pid ?? 0, port, child);
  }

  async stop(): Promise<void> {
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
