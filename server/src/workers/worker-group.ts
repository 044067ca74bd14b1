import type { Logger } from 'pino';
import type { AppConfig } from '../apps/app.ts';
import { FileAppStore } from '../apps/file-store.ts';
import type { Broker } from '../broker.ts';
import type { Config } from '../config/config.ts';
import { openCore } from '../core/cluster-core.ts';
import { webhookDeadline } from '../core/core.ts';
import { Metrics } from '../metrics.ts';
import { readPem } from '../tls/pem-files.ts';
import { VERSION } from '../version.ts';
import { GroupMetrics } from './group-metrics.ts';
import { ParentState } from './parent-state.ts';
import type { GroupStatus, Listening } from './protocol.ts';
import { WorkerProcess } from './worker-process.ts';
import { WorkerSlot } from './worker-slot.ts';

/** Milliseconds between two looks at whether what all share is within reach. */
const LOOK_MS = 500;

/** Settings that the parent has begun with, and that all workers must have alike. */
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
] as const satisfies readonly (keyof Config)[];

interface GroupParts {
  readonly config: Config;
  readonly count: number;
  readonly log: Logger;
  readonly apps: FileAppStore;
  readonly metrics: Metrics;
  readonly shared: ParentState;
  readonly fd: number | undefined;
}

/**
 * A broker of several processes. This one, the parent, keeps what they share and serves no sockets; the workers
 * share the port and serve all of them.
 */
export class WorkerGroup implements Broker {
  /** What a worker begins with; a reload changes its apps, and {@link replaceWorkers} more. */
  #config: Config;
  readonly #fd: number | undefined;
  readonly #log: Logger;
  readonly #apps: FileAppStore;
  readonly #shared: ParentState;
  readonly #metrics: GroupMetrics;
  readonly #posts: readonly WorkerSlot[];
  readonly #look: NodeJS.Timeout;
  #status: 'starting' | 'running' | 'draining' = 'starting';
  #told: GroupStatus = { status: 'starting' };
  #listening: Listening = { port: 0, url: '', metricsUrl: undefined };

  private constructor({ config, count, log, apps, metrics, shared, fd }: GroupParts) {
    this.#config = config;
    this.#fd = fd;
    this.#log = log;
    this.#apps = apps;
    this.#shared = shared;
    const workers = () => this.#workers(({ isListening }) => isListening);
    const isDegraded = () => this.#standing().status === 'degraded';
    this.#metrics = new GroupMetrics({ shared, metrics, workers, isDegraded });
    this.#posts = Array.from({ length: count }, (_, index) => this.#newPost(index + 1));
    this.#look = setInterval(() => this.#tellStanding(), LOOK_MS).unref();
    process.once('exit', this.#killAll);
  }

  /**
   * Forks the workers. The entry point of this process is theirs too: there, where `cluster.isWorker`, it makes a
   * `Worker`.
   *
   * @param count how many, at least 1
   * @param fd of a socket that listens already, in the place of host and port
   * @throws ConfigError if a file or directory that the configuration names cannot be used
   * @throws DataError if what is in the data directory cannot be used
   * @throws Error the ListenError of a worker that cannot listen
   */
  static async start(config: Config, count: number, log: Logger, fd?: number): Promise<WorkerGroup> {
    // The workers read it again: what is wrong is told once, and before one is forked.
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
    });
    const shared = new ParentState(core, apps, log);
    const group = new WorkerGroup({ config, count, log, apps, metrics, shared, fd });
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

  reload(apps: readonly AppConfig[]): void {
    this.#config = { ...this.#config, apps };
    this.#apps.replace(apps);
    this.#shared.core.reload();
    for (const worker of this.#workers()) worker.reload(apps);
  }

  /**
   * Puts other workers in the place of those that run, one after the other: each listens before the one that it replaces
   * stops to. They begin with these settings, but for those that the parent itself has begun with.
   *
   * @returns the settings with which they run
   * @throws Error if one cannot listen: it and those behind it are not replaced
   */
  async replaceWorkers(config: Config): Promise<Config> {
    const before = this.#config;
    const own = Object.fromEntries(OF_PARENT.map((name) => [name, before[name]]));
    this.#config = { ...config, ...own };
    const timeoutMs = this.#config.drainTimeoutSeconds * 1000;
    try {
      for (const post of this.#posts) {
        if (this.#status === 'running') await post.renew(timeoutMs);
      }
    } catch (error) {
      this.#config = { ...before, apps: this.#config.apps };
      throw error;
    }
    return this.#config;
  }

  async drain(): Promise<void> {
    this.#status = 'draining';
    this.#tellStanding();
    this.#shared.core.handOver();
    const timeoutMs = this.#config.drainTimeoutSeconds * 1000;
    const deadline = webhookDeadline(this.#config);
    await Promise.all(this.#posts.map((post) => post.drain(timeoutMs)));
    await this.#shared.drain(deadline);
    await this.#end();
    this.#log.info('all workers drained');
  }

  async close(): Promise<void> {
    this.#status = 'draining';
    this.#shared.core.handOver();
    await Promise.all(this.#posts.map((post) => post.kill()));
    await this.#end();
  }

  async #begin(): Promise<void> {
    const [listening] = await Promise.all(this.#posts.map((post) => post.fill()));
    if (listening) this.#listening = listening;
    this.#status = 'running';
    this.#tellStanding();
    this.#shared.core.start();
  }

  async #end(): Promise<void> {
    clearInterval(this.#look);
    process.off('exit', this.#killAll);
    this.#metrics.close();
    await this.#shared.close();
  }

  /** A worker that hangs does not notice that its parent is gone. */
  readonly #killAll = (): void => {
    for (const worker of this.#workers()) worker.kill();
  };

  #newPost(number: number): WorkerSlot {
    const log = this.#log;
    return new WorkerSlot({
      number,
      fork: () => new WorkerProcess(number, this.#shared, () => this.#metrics.text()),
      work: () => ({
        number,
        config: this.#config,
        incarnation: this.#shared.core.incarnation,
        standing: this.#standing(),
        version: VERSION,
        fd: this.#fd,
      }),
      onListening: () => this.#tellStanding(),
      onEnded: () => {
        this.#metrics.workerEnded();
        this.#tellStanding();
      },
      log,
    });
  }

  #workers(which: (post: WorkerSlot) => boolean = () => true): WorkerProcess[] {
    return this.#posts.filter(which).flatMap(({ workers }) => [...workers]);
  }

  #standing(): GroupStatus {
    if (this.#status !== 'running') return { status: this.#status };
    const away = this.#posts.filter(({ isListening }) => !isListening).length;
    // The others go on, so the machine stays in its balancer.
    if (away > 0) {
      return { status: 'degraded', reason: `${away} of ${this.#posts.length} workers are being replaced` };
    }
    return this.#shared.core.ready().body;
  }

  #tellStanding(): void {
    const standing = this.#standing();
    if (standing.status === this.#told.status && standing.reason === this.#told.reason) return;
    this.#told = standing;
    for (const worker of this.#workers()) worker.stand(standing);
  }
}
