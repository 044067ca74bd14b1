import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { MetricObject } from 'prom-client';
import type { Command, Message, Missed } from '../adapter/adapter.ts';
import type { AppConfig } from '../apps/app.ts';
import type { Broker } from '../broker.ts';
import type { Config } from '../config/config.ts';
import { createServer } from '../server.ts';
import { VERSION } from '../version.ts';
import type { GroupStatus, Listening, ParentApi, StartMessage, WorkerApi } from './protocol.ts';
import { Rpc } from './rpc.ts';
import { beatMs } from './watchdog.ts';
import { WorkerCore } from './worker-core.ts';

/** What a worker is made of. */
export interface WorkerParts {
  /** The line to the parent. */
  readonly stream: Duplex;
  readonly createLog: (config: Config, number: number) => Logger;
  /** Is told that the parent has let it go, after it has drained, or is gone. */
  readonly onEnd: (drained: boolean) => void;
}

/** A worker process: an ordinary broker whose core is with the parent. */
export class Worker implements WorkerApi {
  readonly #createLog: WorkerParts['createLog'];
  readonly #core: WorkerCore;
  readonly #parent: Rpc<ParentApi>;
  #log: Logger | undefined;
  #broker: Promise<Broker> | undefined;
  #heart: NodeJS.Timeout | undefined;
  #drained = false;

  /** Waits for the parent to let it begin. */
  constructor({ stream, createLog, onEnd }: WorkerParts) {
    this.#createLog = createLog;
    this.#parent = new Rpc<ParentApi>(stream, this, (error, call) => {
      this.#log?.error({ err: error, call }, 'call of the parent failed');
    });
    this.#core = new WorkerCore(this.#parent);
    void this.#parent.ended.then(() => {
      clearInterval(this.#heart);
      onEnd(this.#drained);
    });
  }

  async begin({ number, config, incarnation, standing, version, fd }: StartMessage): Promise<Listening> {
    if (version !== VERSION) {
      throw new Error(`The worker is of version ${VERSION} and its parent of ${version}: restart both`);
    }
    this.stand(standing);
    this.#core.incarnation = incarnation;
    this.#log = this.#createLog(config, number);
    this.#broker = createServer(config, { log: this.#log, core: this.#core, fd });
    const { port, url, metricsUrl } = await this.#broker;
    this.#heart = setInterval(() => this.#parent.notify('beat', []), beatMs(config.nodeTimeoutSeconds));
    return { port, url, metricsUrl };
  }

  deliver(message: Message): void {
    this.#core.adapter.listener?.deliver(message);
  }

  obey(command: Command): void {
    this.#core.adapter.listener?.obey(command);
  }

  async missed(missed: Missed): Promise<void> {
    await this.#core.adapter.listener?.missed(missed);
  }

  async reload(apps: readonly AppConfig[]): Promise<void> {
    (await this.#broker)?.reload(apps);
  }

  stand(standing: GroupStatus): void {
    this.#core.standing = standing;
  }

  metrics(): Promise<readonly MetricObject[]> {
    return this.#core.ownMetrics.getMetricsAsJSON();
  }

  async drain(replaced: boolean): Promise<void> {
    await (await this.#broker)?.drain(replaced);
    this.#drained = true;
  }
}
