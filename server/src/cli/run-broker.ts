import { availableParallelism } from 'node:os';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { serviceLinks } from '../config/service-links.ts';
import { takeInheritedSocket } from '../http/sockets/inherited-socket.ts';
import { openFilesLimit } from '../http/sockets/open-files.ts';
import { createLog } from '../log/log.ts';
import { startWarm } from '../warm-up.ts';
import { WorkerGroup } from '../workers/worker-group.ts';
import { findConfigFile } from './config-file.ts';
import { logShortSecrets, reloadOnSignals } from './reload.ts';
import { loadForStart, type StartFlags } from './start-config.ts';
import { Stop } from './stop.ts';
import { UsageError } from './usage-error.ts';

export interface BrokerFlags extends StartFlags {
  readonly workers: string;
}

/** Runs the broker of `countersign start`. */
export async function runBroker(flags: BrokerFlags): Promise<void> {
  const workers = readWorkers(flags.workers);
  const socket = takeInheritedSocket(process.env, process.pid);
  const file = findConfigFile(flags.config);
  const load = () => loadForStart({ ...flags, config: file }, socket);
  const config = await load();
  const log = createLog(config.log);
  const stop = new Stop(log);
  const starting =
    workers > 1
      ? WorkerGroup.start(config, workers, log, socket?.fd)
      : startWarm(config, { log, fd: socket?.fd, onDrain: () => process.kill(process.pid, 'SIGTERM') });
  stop.drains(starting, config.drainTimeoutSeconds);
  stop.onSignals();
  reloadOnSignals(load, config, starting, log);
  adviseOnHeap(log);
  tellOfServiceLinks(log);
  await starting;
  logLimits(config, log);
  logShortSecrets(config, log);
}

function readWorkers(text: string): number {
  if (text === 'auto') return availableParallelism();
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new UsageError(`--workers: got "${text}", expected a whole number from 1 to 999, or auto`);
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
