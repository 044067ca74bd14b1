import type { RequestListener } from 'node:http';
import type { Config } from './config/config.ts';
import { localOnly, notLocal, notLocalError, whyForeign } from './http/local-only.ts';
import { Listener } from './http/sockets/listener.ts';
import type { TransientSockets } from './http/sockets/transient-sockets.ts';
import type { MetricsEndpoint } from './prometheus/endpoint.ts';
import type { PublishSockets } from './publishing/publish-sockets.ts';
import type { Gateway } from './socket/handshakes/gateway.ts';
import type { Certificate } from './tls/certificate.ts';

/** What a broker listens on: its port for requests and WebSockets, and perhaps a port of its own for metrics. */
export class Listeners {
  readonly main: Listener;
  readonly #metrics: Listener;
  readonly #parts: ListenersParts;

  constructor(parts: ListenersParts) {
    const { config, sockets, certificate, metrics } = parts;
    this.#parts = parts;
    const guarded = parts.localOnly ? localOnly : (handle: RequestListener) => handle;
    this.main = Listener.create(config, guarded(parts.handle), sockets, certificate?.pem);
    this.#metrics = Listener.create(config, guarded(metrics.handle), sockets, certificate?.pem);
    this.#acceptUpgrades();
    certificate?.onChange((pem) => {
      this.main.use(pem);
      this.#metrics.use(pem);
    });
  }

  /**
   * @param fd of a socket that listens already, instead of host and port
   * @throws ListenError if it cannot listen
   */
  async listen(fd: number | undefined): Promise<void> {
    const { port, metrics } = this.#parts.config;
    await this.main.listen(port, 'port', fd);
    if (metrics.port !== undefined) await this.#metrics.listen(metrics.port, 'metrics.port');
  }

  /** Where the metrics are; `undefined` if they are off. */
  get metricsUrl(): string | undefined {
    const { metrics, config } = this.#parts;
    if (this.#metrics.listening) return `${this.#metrics.url}/metrics`;
    return metrics.onMainPort ? `${this.main.url}${config.pathPrefix}/metrics` : undefined;
  }

  /** Stops to answer requests for metrics, which are answered until the end. */
  closeMetrics(): Promise<void> {
    return this.#metrics.close();
  }

  /** WebSockets are those of clients or of publishing backends. */
  #acceptUpgrades(): void {
    const { gateway, publishSockets } = this.#parts;
    this.main.onUpgrade((request, socket, head) => {
      const reason = this.#parts.localOnly ? whyForeign(request) : undefined;
      const publisher = publishSockets.appIdOf(request);
      if (publisher === undefined) {
        gateway.upgrade(request, socket, head, reason === undefined ? undefined : notLocal(reason));
      } else {
        const refusal = reason === undefined ? undefined : notLocalError(reason);
        publishSockets.upgrade(request, socket, head, publisher, refusal);
      }
    });
  }
}

export interface ListenersParts {
  readonly config: Config;
  /** Answers requests. */
  readonly handle: RequestListener;
  readonly metrics: MetricsEndpoint;
  readonly gateway: Gateway;
  readonly publishSockets: PublishSockets;
  readonly sockets: TransientSockets;
  readonly certificate: Certificate | undefined;
  /** Whether only this machine and pages from it are answered. */
  readonly localOnly: boolean;
}
