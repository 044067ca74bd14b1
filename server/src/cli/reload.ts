/** How a running broker takes over what has changed in its configuration. */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import type { Broker } from '../broker.ts';
import type { Config } from '../config/config.ts';
import { shortSecrets } from '../config/secrets.ts';
import { OF_PARENT, WorkerGroup } from '../workers/worker-group.ts';

/**
 * SIGHUP takes over the apps and certificates; SIGUSR2 also replaces the workers, which begin with more of the rest.
 *
 * @param starting a signal that comes before it has started waits for that
 */
export function reloadOnSignals(
  load: () => Promise<Config>,
  running: Config,
  starting: Promise<Broker>,
  log: Logger,
): void {
  let current = running;
  const replaceWorkers = async (group: WorkerGroup, config: Config): Promise<void> => {
    log.info('replacing workers');
    try {
      current = await group.replaceWorkers(config);
      log.info('all workers replaced');
    } catch (error) {
      log.error({ err: error }, 'a worker that would replace another does not begin: the others stay');
    }
  };
  const reload = async (signal: NodeJS.Signals): Promise<void> => {
    try {
      const config = await load();
      const broker = await starting;
      await broker.reload(config.apps);
      logShortSecrets(config, log);
      const changed = changedSettings(current, config);
      const group = signal === 'SIGUSR2' && broker instanceof WorkerGroup ? broker : undefined;
      const waiting = changed.filter((name) => !group || OF_PARENT.some((own) => own === name));
      if (waiting.length > 0) log.warn({ settings: waiting }, 'changed settings wait for a restart');
      if (group) await replaceWorkers(group, config);
    } catch (error) {
      log.error({ err: error }, 'reload failed, nothing is changed');
    }
  };
  let last = Promise.resolve();
  const enqueue = (signal: NodeJS.Signals) => {
    last = last.then(() => reload(signal));
  };
  process.on('SIGHUP', enqueue);
  process.on('SIGUSR2', enqueue);
}

/** Tells of each secret that could be guessed. */
export function logShortSecrets(config: Config, log: Logger): void {
  for (const found of shortSecrets(config)) log.warn(found, 'secret is short: 32 random characters are safe');
}

/** The settings, other than the apps, in which two configurations differ. */
function changedSettings(running: Config, loaded: Config): string[] {
  const before = new Map<string, unknown>(Object.entries(running));
  const after = new Map<string, unknown>(Object.entries(loaded));
  const names = new Set([...before.keys(), ...after.keys()]);
  names.delete('apps');
  return [...names].filter((name) => !isDeepStrictEqual(before.get(name), after.get(name)));
}
