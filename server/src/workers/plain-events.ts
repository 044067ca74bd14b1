import type { EventMessage } from '../adapter/adapter.ts';
import { appOfTopic } from '../adapter/topic.ts';
import type { AppChanges } from '../apps/app-changes.ts';
import type { Config } from '../config/config.ts';

/**
 * Decides which events the parent only passes on: they are not kept, no webhook wants them, and there is no Redis. So publishing
 * them cannot fail in the parent.
 */
export class PlainEvents {
  #isAlone = false;
  /** The apps whose webhooks want client events. */
  readonly #journaled = new Set<string>();

  begin({ redis, apps }: Pick<Config, 'redis' | 'apps'>): void {
    this.#isAlone = redis === undefined;
    this.take({ put: apps, removed: [] });
  }

  /** Takes over changed apps. */
  take({ put, removed }: AppChanges): void {
    for (const id of removed) this.#journaled.delete(id);
    for (const { id, webhooks } of put) {
      const wantsClientEvents = webhooks.some(({ events }) => events.includes('client_event'));
      if (wantsClientEvents) this.#journaled.add(id);
      else this.#journaled.delete(id);
    }
  }

  /** Whether an event that is kept nowhere is one of them. */
  has({ sender, topic }: EventMessage): boolean {
    return this.#isAlone && (sender === undefined || !this.#journaled.has(appOfTopic(topic)));
  }
}
