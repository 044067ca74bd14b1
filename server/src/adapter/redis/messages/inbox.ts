import type { AdapterListener, Version } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';
import { APPS, type RedisAppRepository } from '../app-repository.ts';
import { COMMANDS } from './bus.ts';
import { type Envelope, messageOf, orderOf } from './envelope.ts';
import type { MissedQueue } from './missed-queue.ts';
import type { RedisNodes } from './nodes.ts';

/** Hands messages and orders of other nodes to their receivers, and reports gaps. */
export class Inbox {
  /** Receives messages and orders, once the adapter has one. */
  listener: AdapterListener | undefined;
  readonly #queue: MissedQueue;
  readonly #apps: RedisAppRepository;
  readonly #nodes: RedisNodes;

  constructor(queue: MissedQueue, apps: RedisAppRepository, nodes: RedisNodes) {
    this.#queue = queue;
    this.#apps = apps;
    this.#nodes = nodes;
  }

  deliver(topic: Topic, envelope: Envelope): void {
    if (topic === APPS) return this.#apps.heard(envelope.message);
    if (topic === COMMANDS) {
      const order = orderOf(envelope);
      if (order.kind === 'question') this.#nodes.asked(order);
      else this.listener?.obey(order);
    } else {
      this.listener?.deliver(messageOf(topic, envelope));
    }
  }

  missed(topic: Topic, version: Version, ended?: Version, when: 'now' | 'later' = 'now'): void {
    if (topic === APPS) return this.#apps.missed();
    if (topic === COMMANDS) {
      // At once: revoked subscriptions must receive nothing more.
      if (ended !== undefined) this.listener?.proveAgain();
      this.#queue.add(topic, { kind: 'revocations' });
      return;
    }
    const missed = { kind: 'messages', topic, version } as const;
    if (when === 'later') this.#queue.addLater(topic, missed);
    else this.#queue.add(topic, missed);
  }
}
