import type { Logger } from 'pino';
import type { App } from './apps/app.ts';
import type { FairTurns } from './async/fair-turns.ts';
import type { DrainReason } from './broker.ts';
import type { CoreWebhooks } from './core/core.ts';
import type { Listener } from './http/sockets/listener.ts';
import type { PublishSockets } from './publishing/publish-sockets.ts';
import type { Gateway } from './socket/handshakes/gateway.ts';

/** Why the broker stops, which its parts ask; `undefined` while it serves. */
export interface Stopping {
  reason?: DrainReason;
}

/** The two ways in which a broker ends: at once, or after it has drained. Each happens once, however often it is asked for. */
export class Shutdown {
  readonly #parts: ShutdownParts;
  #drained: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #ended: Promise<void> | undefined;

  constructor(parts: ShutdownParts) {
    this.#parts = parts;
  }

  drain(reason: DrainReason): Promise<void> {
    this.#drained ??= this.#drain(reason);
    return this.#drained;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #drain(reason: DrainReason): Promise<void> {
    const { stopping, webhooks, listener, turns, publishSockets, gateway, log } = this.#parts;
    stopping.reason = reason;
    const isReplaced = reason === 'replaced';
    // The socket stays open for the next process, which accepts new clients as soon as it has started.
    const isLeft = isReplaced || this.#parts.isInherited;
    const deadline = this.#parts.webhookDeadline();
    webhooks.handOver();
    log.info({ connections: this.#parts.connections.size }, 'draining');
    if (isLeft) listener.leave();
    gateway.turnAway(isLeft);
    // What has come is done before those who would hear of it are sent away.
    await turns.finish();
    publishSockets.drain();
    await gateway.drain();
    await listener.drain(isReplaced ? 'keep' : 'close');
    await this.#end(deadline);
    log.info('drained');
  }

  async #close(): Promise<void> {
    const { stopping, webhooks, listener, publishSockets, gateway } = this.#parts;
    stopping.reason ??= 'stopping';
    webhooks.handOver();
    gateway.close();
    publishSockets.close();
    await listener.close();
    await this.#end();
  }

  #end(deadline?: number): Promise<void> {
    this.#ended ??= this.#parts.end(deadline);
    return this.#ended;
  }
}

interface ShutdownParts {
  readonly stopping: Stopping;
  readonly webhooks: CoreWebhooks;
  readonly listener: Listener;
  readonly turns: FairTurns<App>;
  readonly publishSockets: PublishSockets;
  readonly gateway: Gateway;
  readonly connections: { readonly size: number };
  readonly log: Logger;
  /** Whether the socket was opened by another process, which keeps it open. */
  readonly isInherited: boolean;
  /** When deliveries that wait are given up, from now. */
  readonly webhookDeadline: () => number;
  /** Closes every part. Without a deadline, webhook deliveries are not waited for. */
  readonly end: (deadline?: number) => Promise<void>;
}
