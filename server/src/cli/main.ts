#!/usr/bin/env -S node --max-semi-space-size=4
// The flag above bounds the garbage that a connection leaves behind. It has no effect once a process runs, so it stands here.
import cluster from 'node:cluster';
import { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { inspect, parseArgs } from 'node:util';
import type { Logger } from 'pino';
import { hasAdmin } from '../config/admin.ts';
import type { Config } from '../config/config.ts';
import { describeConfig } from '../config/description.ts';
import { ConfigError } from '../config/error.ts';
import { loadConfig } from '../config/load.ts';
import { refuseGuessable } from '../config/secrets.ts';
import { serviceLinks } from '../config/service-links.ts';
import { DataError } from '../data/database.ts';
import { type InheritedSocket, takeInheritedSocket } from '../http/inherited-socket.ts';
import { isWrongPlace } from '../http/listen-error.ts';
import { openFilesLimit } from '../http/open-files.ts';
import { createLog, exitAfterLog } from '../log/log.ts';
import { createServer } from '../server.ts';
import { VERSION } from '../version.ts';
import { Worker } from '../workers/worker.ts';
import { WorkerGroup } from '../workers/worker-group.ts';
import { RPC_FD } from '../workers/worker-process.ts';
import { runAuditCommand } from './audit-command.ts';
import { devApp, devConfig, refuseOtherThanDev } from './dev/app.ts';
import { devRoutes } from './dev/dev.ts';
import { devGuide } from './dev/guide.ts';
import { HELP } from './help.ts';
import { logShortSecrets, reloadOnSignals } from './reload.ts';
import { Stop } from './stop.ts';
import { UsageError } from './usage-error.ts';
import { CommandError, runWebhooksCommand } from './webhooks-command.ts';

const MINIMAL_FILE =
  '{ "apps": [{ "id": "1", "keys": [{ "key": "key-1", "secret": "replace-me-with-openssl-rand-hex-32" }] }] }';
/** The variable that gives the app of `countersign dev` its secret. */
const DEV_SECRET = 'COUNTERSIGN_DEV_SECRET';

interface Flags {
  readonly config?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly workers?: string | undefined;
  readonly secret?: string | undefined;
}

async function main([command, ...args]: readonly string[]): Promise<void> {
  if (args.includes('--help')) return print(HELP);
  switch (command) {
    case 'start':
      return start(flagsOf(args, ['config', 'host', 'port', 'workers']));
    case 'dev':
      return dev(flagsOf(args, ['host', 'port', 'secret']));
    case 'config':
      return printConfig(args);
    case 'webhooks':
      return print(await runWebhooksCommand(args, (file) => loadConfig({ file, env: process.env })));
    case 'audit':
      return print(await runAuditCommand(args));
    case '--help':
    case '-h':
      return print(HELP);
    case '--version':
    case '-v':
      return print(`${VERSION}\n`);
    case undefined:
      throw new UsageError('No command');
    default:
      throw new UsageError(`Unknown command "${command}"`);
  }
}

function flagsOf(args: readonly string[], names: readonly (keyof Flags)[]): Flags {
  try {
    const options = Object.fromEntries(names.map((name) => [name, { type: 'string' } as const]));
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function start(flags: Flags): Promise<void> {
  const workers = readWorkers(flags.workers);
  const socket = takeInheritedSocket(process.env, process.pid);
  const load = () => loadForStart(flags, socket);
  const config = await load();
  const log = createLog(config.log);
  const stop = new Stop(log);
  const starting =
    workers > 1
      ? WorkerGroup.start(config, workers, log, socket?.fd)
      : createServer(config, { log, fd: socket?.fd, onDrain: () => process.kill(process.pid, 'SIGTERM') });
  stop.drains(starting, config.drainTimeoutSeconds);
  stop.onSignals();
  reloadOnSignals(load, config, starting, log);
  adviseOnHeap(log);
  tellOfServiceLinks(log);
  await starting;
  logLimits(config, log);
  logShortSecrets(config, log);
}

function readWorkers(text = '1'): number {
  if (text === 'auto') return availableParallelism();
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new UsageError(`--workers: got "${text}", expected a whole number from 1 to 999, or auto`);
}

/** What a forked process does: its parent tells it the rest. */
function work(): void {
  // A signal to the whole group of processes is the parent's to act on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});
  const worker = new Worker({
    stream: new Socket({ fd: RPC_FD, readable: true, writable: true }),
    createLog(config, number) {
      const log = createLog(config.log).child({ worker: number });
      // Its parent replaces one that ends.
      new Stop(log).drains(Promise.resolve({ drain: () => worker.drain() }), config.drainTimeoutSeconds);
      return log;
    },
    onEnd: (how) => exitAfterLog(how === 'drained' ? 0 : 1),
  });
}

async function loadForStart(flags: Flags, socket: InheritedSocket | undefined): Promise<Config> {
  const loaded = await loadConfig({ file: flags.config, env: process.env, flags });
  // Who may see the metrics and the console depends on where the broker really listens.
  const config = socket ? { ...loaded, host: socket.host, port: socket.port } : loaded;
  if (config.apps.length === 0 && !hasAdmin(config.admin)) {
    throw new ConfigError(flags.config, [
      `apps: there is none, so nobody could connect; a minimal file is ${MINIMAL_FILE}`,
    ]);
  }
  refuseGuessable(config);
  return config;
}

async function dev(flags: Flags): Promise<void> {
  const { [DEV_SECRET]: secretOfEnvironment, ...env } = process.env;
  const app = devApp(flags.secret ?? secretOfEnvironment);
  const config = await loadConfig({ base: devConfig(app), env, flags });
  refuseOtherThanDev(config, app);
  refuseGuessable(config);
  const log = createLog(config.log);
  const stop = new Stop(log);
  const starting = createServer(config, {
    log,
    localOnly: true,
    routes: devRoutes(app),
    console: { open: true },
  });
  stop.drains(starting, config.drainTimeoutSeconds);
  stop.onSignals();
  print(devGuide((await starting).url, app));
}

async function printConfig(args: readonly string[]): Promise<void> {
  if (!args.includes('--print')) throw new UsageError('countersign config needs --print');
  const others = args.filter((arg) => arg !== '--print');
  const flags = flagsOf(others, ['config', 'host', 'port']);
  const config = await loadConfig({ file: flags.config, env: process.env, flags });
  print(`${JSON.stringify(describeConfig(config), null, 2)}\n`);
}

function adviseOnHeap(log: Logger): void {
  const flags = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ');
  if (/--max[-_]semi[-_]space[-_]size/.test(flags)) return;
  log.info(
    { flag: '--max-semi-space-size=4' },
    'node runs without the flag that saves memory per connection',
  );
}

function tellOfServiceLinks(log: Logger): void {
  const variables = serviceLinks(process.env);
  if (variables.length > 0) log.info({ variables }, 'variables of service links ignored');
}

function logLimits(config: Config, log: Logger): void {
  log.info(
    {
      openFiles: openFilesLimit(),
      maxMessageBytes: config.maxMessageBytes,
      maxBufferedBytes: config.maxBufferedBytes,
      apps: config.apps.map(({ id, limits }) => ({
        appId: id,
        connections: limits.connections,
        eventDataBytes: limits.eventDataBytes,
      })),
    },
    'effective limits',
  );
}

function print(text: string): void {
  process.stdout.write(text);
}

function fail(error: unknown): void {
  const [message, exitCode] =
    error instanceof UsageError
      ? [`${error.message}\nSee countersign --help.`, 2]
      : error instanceof ConfigError
        ? [error.message, 2]
        : [isForUser(error) ? error.message : inspect(error), isWrongPlace(error) ? 2 : 1];
  process.stderr.write(`${message}\n`);
  process.exit(exitCode);
}

/** Whether its message says all that whoever runs the command can use. */
function isForUser(error: unknown): error is Error {
  if (error instanceof DataError || error instanceof CommandError) return true;
  return error instanceof Error && 'syscall' in error;
}

if (cluster.isWorker) work();
else main(process.argv.slice(2)).catch(fail);
