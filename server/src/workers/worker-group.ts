import type { Logger } from 'pino';
import { MemoryAdapter } from '../adapter/memory/adapter.ts';
import type { AppConfig } from '../apps/app.ts';
import { FileAppStore } from '../apps/file-store.ts';
import type { Config } from '../config.ts';
import { LocalCore } from '../core.ts';
import { CountAnnouncer } from '../hub/counts.ts';
import { Metrics } from '../hub/metrics.ts';
import type { Broker } from '../server.ts';
import type { Listening, Standing } from './desk.ts';
import { GroupMetrics } from './group-metrics.ts';
import type { Shared } from './lease.ts';
import { Post } from './post.ts';
import { Switchboard } from './switchboard.ts';
import { WorkerProcess } from './worker-process.ts';

/**
 * A broker of several processes. This one, the parent, keeps what they share and serves no sockets; the workers
 * share the port and serve all of them.
 */
export class WorkerGroup implements Broker {
  readonly host: string;
  /** What a worker begins with; a reload changes its apps. */
  #config: Config;
  readonly #log: Logger;
  readonly #apps: FileAppStore;
  readonly #shared: Shared;
  readonly #metrics: GroupMetrics;
  readonly #posts: readonly Post[];
  #status: 'starting' | 'running' | 'draining' = 'starting';
  #listening: Listening = { port: 0, url: '', metricsUrl: undefined };

  private constructor(config: Config, count: number, log: Logger) {
    this.host = config.host;
    this.#config = config;
    this.#log = log;
    this.#apps = new FileAppStore(config.apps);
    const metrics = new Metrics();
    const core = new LocalCore(
      { config, apps: this.#apps, metrics, log, now: Date.now },
      (blocks) => new MemoryAdapter(Date.now, blocks),
    );
    const switchboard = new Switchboard();
    core.adapter.attach(switchboard, core.journal);
    this.#metrics = new GroupMetrics({
      apps: this.#apps,
      metrics,
      core,
      workers: () => this.#workers(({ isListening }) => isListening),
      log,
    });
    this.#shared = {
      core,
      apps: this.#apps,
      counts: new CountAnnouncer(core.adapter.bus, log),
      switchboard,
      metrics: () => this.#metrics.text(),
    };
    this.#posts = Array.from({ length: count }, (_, index) => this.#newPost(index + 1));
  }

  /**
   * Forks the workers. The entry point of this process is theirs too: there, where `cluster.isWorker`, it makes a
   * `Worker`.
   *
   * @param count how many, at least 1
   * @throws DataError if the data directory cannot be used
   * @throws Error if they cannot listen
   */
  static async start(config: Config, count: number, log: Logger): Promise<WorkerGroup> {
    const group = new WorkerGroup(config, count, log);
    try {
      const [listening] = await Promise.all(group.#posts.map((post) => post.fill()));
      if (listening) group.#listening = listening;
    } catch (error) {
      await group.close();
      throw error;
    }
    group.#status = 'running';
    group.#tellStanding();
    group.#shared.core.start();
    const { port, metricsUrl } = group;
    log.info({ host: config.host, port, workers: count, metrics: metricsUrl ?? 'off' }, 'all workers listen');
    return group;
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

  async drain(): Promise<void> {
    this.#status = 'draining';
    this.#tellStanding();
    this.#shared.core.handOver();
    const timeoutMs = this.#config.drainTimeoutSeconds * 1000;
    await Promise.all(this.#posts.map((post) => post.drain(timeoutMs)));
    await this.#end();
    this.#log.info('all workers drained');
  }

  async close(): Promise<void> {
    this.#status = 'draining';
    this.#shared.core.handOver();
    await Promise.all(this.#posts.map((post) => post.kill()));
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#shared.counts.close();
    this.#metrics.close();
    await this.#shared.core.close();
  }

  #newPost(number: number): Post {
    const log = this.#log;
    return new Post({
      number,
      fork: () => new WorkerProcess(number, this.#shared, log),
      work: () => ({ number, config: this.#config, standing: this.#standing() }),
      onListening: () => this.#tellStanding(),
      onEnded: () => {
        this.#metrics.workerEnded();
        this.#tellStanding();
      },
      log,
    });
  }

  #workers(which: (post: Post) => boolean = () => true): WorkerProcess[] {
    return this.#posts.filter(which).flatMap(({ worker }) => worker ?? []);
  }

  #standing(): Standing {
    if (this.#status !== 'running') return { status: this.#status };
    const away = this.#posts.filter(({ isListening }) => !isListening).length;
    if (away === 0) return { status: 'ready' };
    // The others go on, so the machine stays in its balancer.
    return { status: 'degraded', reason: `${away} of ${this.#posts.length} workers are being replaced` };
  }

  #tellStanding(): void {
    const standing = this.#standing();
    for (const worker of this.#workers()) worker.stand(standing);
  }
}
