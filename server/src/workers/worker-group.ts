import type { Logger } from 'pino';
import type { AppConfig } from '../apps/app.ts';
import type { AppChanges } from '../apps/app-changes.ts';
import { FileAppStore } from '../apps/file-store.ts';
import { KeyChanges } from '../audit/key-changes.ts';
import type { Broker } from '../broker.ts';
import type { Config } from '../config/config.ts';
import { reloadCertificates, takeApps, webhookDeadline } from '../core/core.ts';
import { openCore } from '../core/open-core.ts';
import { Metrics } from '../metrics.ts';
import { readPem } from '../tls/pem-files.ts';
import { Tracing } from '../tracing/tracing.ts';
import { VERSION } from '../version.ts';
import { GroupMetrics } from './group-metrics.ts';
import { ParentState } from './parent-state.ts';
import type { GroupStatus, Listening } from './protocol.ts';
import { WorkerProcess } from './worker-process.ts';
import { WorkerSlot } from './worker-slot.ts';

/** Milliseconds between two checks of the status of the core. */
const STATUS_CHECK_MS = 500;

/** Settings that the parent started with, and that must be the same in all workers. */
export const OF_PARENT = [
  'host',
  'port',
  'redis',
  'data',
  'nodeTimeoutSeconds',
  'drainWindowSeconds',
  'drainTimeoutSeconds',
  'webhookGraceSeconds',
  'webhookRestartGraceSeconds',
  'webhookRetrySeconds',
  'webhookLogSeconds',
  'webhookMaxPending',
  'webhookMaxLogEvents',
  'webhookMaxBytes',
  'webhookMaxTotalBytes',
  'webhookAddresses',
  'admin',
  'webhookSigningKey',
  'audit',
] as const satisfies readonly (keyof Config)[];

interface GroupParts {
  readonly config: Config;
  readonly count: number;
  readonly log: Logger;
  readonly apps: FileAppStore;
  readonly metrics: Metrics;
  readonly state: ParentState;
  readonly fd: number | undefined;
}

/**
 * A broker of several processes. This process, the parent, has the shared state and serves no sockets; the workers
 * share the port and serve all sockets.
 */
export class WorkerGroup implements Broker {
  /** The settings of a worker that starts now, but its apps, which the registry has. */
  #config: Config;
  readonly #fd: number | undefined;
  readonly #log: Logger;
  readonly #apps: FileAppStore;
  readonly #state: ParentState;
  readonly #metrics: GroupMetrics;
  readonly #keyChanges: KeyChanges;
  readonly #slots: readonly WorkerSlot[];
  readonly #statusTimer: NodeJS.Timeout;
  #status: 'starting' | 'running' | 'draining' = 'starting';
  #lastStatus: GroupStatus = { status: 'starting' };
  #listening: Listening = { port: 0, url: '', metricsUrl: undefined };

  private constructor({ config, count, log, apps, metrics, state, fd }: GroupParts) {
    this.#config = config;
    this.#fd = fd;
    this.#log = log;
    this.#apps = apps;
    this.#state = state;
    const workers = () => this.#workers(({ isListening }) => isListening);
    const isDegraded = () => this.#groupStatus().status === 'degraded';
    this.#metrics = new GroupMetrics({ state, metrics, workers, isDegraded });
    this.#slots = Array.from({ length: count }, (_, index) => this.#newSlot(index + 1));
    const { admin, audit } = state.core;
    this.#keyChanges = new KeyChanges(audit, admin.registry?.file ?? config.apps);
    admin.follow((changes) => this.#take(changes));
    admin.attach({
      processes: workers,
      isDraining: () => this.#status === 'draining',
      drain: () => process.kill(process.pid, 'SIGTERM'),
    });
    this.#statusTimer = setInterval(() => this.#announceStatus(), STATUS_CHECK_MS).unref();
    process.once('exit', this.#killAll);
  }

  /**
   * Forks the workers. They run the same entry point as this process, which makes a `Worker` if `cluster.isWorker`.
   *
   * @param count how many, at least 1
   * @param fd of a socket that listens already; it replaces host and port
   * @throws ConfigError if a file or directory that the configuration names cannot be used
   * @throws DataError if what is in the data directory cannot be used
   * @throws Error the ListenError of a worker that cannot listen
   */
  static async start(config: Config, count: number, log: Logger, fd?: number): Promise<WorkerGroup> {
    // The workers read the files again; an error must show once, and before a worker is forked.
    if (config.tls) await readPem('tls', config.tls);
    const apps = new FileAppStore(config.apps);
    const metrics = new Metrics();
    const core = await openCore({
      config,
      apps,
      metrics,
      log,
      now: Date.now,
      monotonic: () => performance.now(),
      tracing: await Tracing.find(),
    });
    const state = new ParentState(core, apps, log);
    const group = new WorkerGroup({ config, count, log, apps, metrics, state, fd });
    try {
      await group.#begin();
    } catch (error) {
      await group.close();
      throw error;
    }
    const { host, port, metricsUrl } = group;
    log.info({ host, port, workers: count, metrics: metricsUrl ?? 'off' }, 'all workers listen');
    return group;
  }

  get host(): string {
    return this.#config.host;
  }

  get port(): number {
    return this.#listening.port;
  }

  get url(): string {
    return this.#listening.url;
  }

  get metricsUrl(): string | undefined {
    return this.#listening.metricsUrl;
  }

  async reload(apps: readonly AppConfig[]): Promise<void> {
    const { admin, status } = this.#state.core;
    await admin.registry?.useFile(apps);
    reloadCertificates(status.certificates);
    await Promise.all(this.#workers().map((worker) => worker.reload(apps)));
  }

  /** Resolves when all workers have the changed apps. */
  async #take(changes: AppChanges): Promise<void> {
    const { core } = this.#state;
    this.#keyChanges.record(core.admin.registry?.file ?? this.#config.apps);
    takeApps(core, this.#apps, changes);
    await Promise.all(this.#workers().map((worker) => worker.takeApps(changes)));
  }

  /**
   * Replaces the workers one after the other: each new worker listens before the old one stops to listen. The new workers
   * start with these settings, except for those that the parent itself started with.
   *
   * @returns the settings of the new workers
   * @throws Error if a new worker cannot listen: the remaining ones are not replaced
   */
  async replaceWorkers(config: Config): Promise<Config> {
    const before = this.#config;
    const own = Object.fromEntries(OF_PARENT.map((name) => [name, before[name]]));
    this.#config = { ...config, ...own };
    const timeoutMs = this.#config.drainTimeoutSeconds * 1000;
    try {
      for (const slot of this.#slots) {
        if (this.#status === 'running') await slot.replace(timeoutMs);
      }
    } catch (error) {
      this.#config = before;
      throw error;
    }
    return this.#config;
  }

  async drain(): Promise<void> {
    this.#status = 'draining';
    this.#announceStatus();
    this.#state.core.webhooks.handOver();
    const timeoutMs = this.#config.drainTimeoutSeconds * 1000;
    const deadline = webhookDeadline(this.#config);
    await Promise.all(this.#slots.map((slot) => slot.drain(timeoutMs)));
    await this.#state.drain(deadline);
    await this.#end();
    this.#log.info('all workers drained');
  }

  async close(): Promise<void> {
    this.#status = 'draining';
    this.#state.core.webhooks.handOver();
    await Promise.all(this.#slots.map((slot) => slot.kill()));
    await this.#end();
  }

  async #begin(): Promise<void> {
    const [listening] = await Promise.all(this.#slots.map((slot) => slot.start()));
    if (listening) this.#listening = listening;
    this.#status = 'running';
    this.#announceStatus();
    this.#state.core.webhooks.start();
  }

  async #end(): Promise<void> {
    clearInterval(this.#statusTimer);
    process.off('exit', this.#killAll);
    this.#metrics.close();
    await this.#state.close();
  }

  /** A worker that hangs does not notice that its parent has ended. */
  readonly #killAll = (): void => {
    for (const worker of this.#workers()) worker.kill();
  };

  #newSlot(number: number): WorkerSlot {
    const log = this.#log;
    return new WorkerSlot({
      number,
      fork: () => new WorkerProcess(number, this.#state, () => this.#metrics.text()),
      startMessage: () => ({
        number,
        // A worker that begins later has what the app store has by then.
        config: { ...this.#config, apps: this.#state.core.admin.registry?.served ?? this.#config.apps },
        incarnation: this.#state.core.status.incarnation,
        webhookKeys: this.#state.core.webhookKeys,
        status: this.#groupStatus(),
        version: VERSION,
        fd: this.#fd,
      }),
      onListening: () => this.#announceStatus(),
      onEnded: () => {
        this.#metrics.workerEnded();
        this.#announceStatus();
      },
      log,
    });
  }

  #workers(which: (slot: WorkerSlot) => boolean = () => true): WorkerProcess[] {
    return this.#slots.filter(which).flatMap(({ workers }) => [...workers]);
  }

  #groupStatus(): GroupStatus {
    if (this.#status !== 'running') return { status: this.#status };
    const missing = this.#slots.filter(({ isListening }) => !isListening).length;
    // The other workers serve, so the load balancer must keep this machine.
    if (missing > 0) {
      return { status: 'degraded', reason: `${missing} of ${this.#slots.length} workers are being replaced` };
    }
    return this.#state.core.status.ready().body;
  }

  #announceStatus(): void {
    const status = this.#groupStatus();
    if (status.status === this.#lastStatus.status && status.reason === this.#lastStatus.reason) return;
    this.#lastStatus = status;
    for (const worker of this.#workers()) worker.setStatus(status);
  }
}
