import type { EventMessage } from '../adapter/adapter.ts';
import { appOfTopic } from '../adapter/topic.ts';
import type { AppConfig } from '../apps/app.ts';
import type { Config } from '../config/config.ts';

/**
 * Decides which events the parent only passes on: they are not kept, no webhook wants them, and there is no Redis. So publishing
 * them cannot fail in the parent.
 */
export class PlainEvents {
  #isAlone = false;
  /** The apps whose webhooks want client events. */
  #journaled: ReadonlySet<string> = new Set();

  begin({ redis, apps }: Pick<Config, 'redis' | 'apps'>): void {
    this.#isAlone = redis === undefined;
    this.reload(apps);
  }

  reload(apps: readonly AppConfig[]): void {
    const wantsClientEvents = ({ webhooks }: AppConfig) =>
      webhooks.some(({ events }) => events.includes('client_event'));
    this.#journaled = new Set(apps.filter(wantsClientEvents).map(({ id }) => id));
  }

  /** Whether an event that is kept nowhere is one of them. */
  has({ sender, topic }: EventMessage): boolean {
    return this.#isAlone && (sender === undefined || !this.#journaled.has(appOfTopic(topic)));
  }
}
