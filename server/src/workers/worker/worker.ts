import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { BusListener } from '../../adapter/adapter.ts';
import { NOTHING_DONE } from '../../adapter/questions.ts';
import type { ProcessFigures } from '../../admin/live.ts';
import type { Broker } from '../../broker.ts';
import { type Config, sharesApps } from '../../config/config.ts';
import { Metrics } from '../../metrics.ts';
import { VERSION } from '../../version.ts';
import { startWarm } from '../../warm-up.ts';
import { PlainEvents } from '../plain-events.ts';
import type {
  GroupStatus,
  Listening,
  ParentApi,
  StartMessage,
  WorkerApi,
  WorkerControl,
} from '../protocol.ts';
import { unpackEvent } from '../rpc/packed-event.ts';
import { Rpc } from '../rpc/rpc.ts';
import { beatMs } from '../watchdog.ts';
import { WorkerAdapter } from './worker-adapter.ts';
import { WorkerAudit } from './worker-audit.ts';
import { WorkerCore } from './worker-core.ts';
import { WorkerUsage } from './worker-usage.ts';

/** A worker process: an ordinary broker whose core is in the parent. */
export class Worker {
  readonly #createLog: WorkerParts['createLog'];
  readonly #parent: Rpc<ParentApi>;
  readonly #adapter: WorkerAdapter;
  readonly #plainEvents = new PlainEvents();
  #log: Logger | undefined;
  #broker: Promise<Broker> | undefined;
  /** Resolves when it serves clients. */
  #begun: Promise<Listening> | undefined;
  #core: WorkerCore | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #status: GroupStatus = { status: 'starting' };
  #ownMetrics = new Registry();
  #usage: WorkerUsage | undefined;
  #drained = false;

  /** Waits until the parent lets it begin. */
  constructor({ stream, createLog, onEnd }: WorkerParts) {
    this.#createLog = createLog;
    const exposed: WorkerApi = { listener: this.#listener, worker: this.#control };
    const onFault = (error: unknown, call: string) => {
      this.#log?.error({ err: error, call }, 'call from the parent failed');
    };
    this.#parent = new Rpc<ParentApi>(stream, exposed, onFault, (bytes) =>
      this.#listener.deliver(unpackEvent(bytes)),
    );
    this.#adapter = new WorkerAdapter(this.#parent, this.#plainEvents);
    void this.#parent.ended.then(() => {
      clearInterval(this.#heartbeat);
      this.#usage?.close();
      onEnd(this.#drained ? 'drained' : 'orphaned');
    });
  }

  /** Ends gracefully. */
  async drain(): Promise<void> {
    await this.#control.drain('replaced');
  }

  readonly #listener: BusListener = {
    deliver: (message) => this.#adapter.listener?.deliver(message),
    obey: (command) => this.#adapter.listener?.obey(command),
    missed: async (missed) => this.#adapter.listener?.missed(missed),
    answer: async (question) => (await this.#adapter.listener?.answer(question)) ?? NOTHING_DONE,
    proveAgain: () => this.#adapter.listener?.proveAgain(),
  };

  readonly #control: WorkerControl = {
    begin: (message) => {
      this.#begun = this.#begin(message);
      return this.#begun;
    },
    reload: async (apps) => {
      await (await this.#broker)?.reload(apps);
    },
    takeApps: async (changes) => {
      this.#plainEvents.take(changes);
      await this.#begun;
      await this.#core?.applyApps?.(changes);
    },
    figures: async (appIds) => (await this.#own?.figures(appIds)) ?? [],
    connections: async () => (await this.#own?.connections()) ?? 0,
    load: async () => (await this.#own?.load()) ?? 0,
    setStatus: (status) => {
      this.#status = status;
    },
    metrics: () => this.#ownMetrics.getMetricsAsJSON(),
    drain: async (reason) => {
      await (await this.#broker)?.drain(reason);
      await this.#usage?.tell();
      this.#drained = true;
    },
  };

  /** The figures of this process. */
  get #own(): ProcessFigures | undefined {
    return this.#core?.processes?.processes()[0];
  }

  async #begin(message: StartMessage): Promise<Listening> {
    const { number, config, incarnation, webhookKeys, status, version, fd } = message;
    if (version !== VERSION) {
      throw new Error(`The worker has version ${VERSION} and its parent version ${version}: restart both`);
    }
    this.#status = status;
    this.#plainEvents.begin(config);
    this.#log = this.#createLog(config, number);
    const metrics = new Metrics();
    const { enabled, required: isRequired } = config.audit;
    const audit = enabled
      ? new WorkerAudit({ parent: this.#parent, isRequired, metrics, log: this.#log })
      : undefined;
    const usage = new WorkerUsage(this.#parent, metrics);
    this.#usage = usage;
    // Before anybody is let in it knows what is left of quotas.
    await usage.tell();
    const core = new WorkerCore(
      this.#parent,
      this.#adapter,
      incarnation,
      webhookKeys,
      audit,
      usage.quotas,
      () => this.#status,
      sharesApps(config),
    );
    this.#core = core;
    this.#broker = startWarm(config, {
      metrics,
      log: this.#log,
      core,
      fd,
      metricsText: (own) => {
        this.#ownMetrics = own;
        return {
          contentType: own.contentType,
          metrics: () => this.#parent.call('group', 'metrics', []),
        };
      },
    });
    const { port, url, metricsUrl } = await this.#broker;
    const beat = () => this.#parent.notify('group', 'beat', []);
    this.#heartbeat = setInterval(beat, beatMs(config.nodeTimeoutSeconds));
    return { port, url, metricsUrl };
  }
}

export interface WorkerParts {
  /** The connection to the parent. */
  readonly stream: Duplex;
  readonly createLog: (config: Config, number: number) => Logger;
  /** Called when the parent is gone: it has let the worker go after a drain, or has ended. */
  readonly onEnd: (how: 'drained' | 'orphaned') => void;
}
