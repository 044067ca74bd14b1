import type { HookKey } from '../../apps/hook.ts';
import type { Forgotten, OutboxListener } from './outbox.ts';

/** What a listener is told once the transaction that it comes from is committed. */
export class News implements Omit<OutboxListener, 'reopened'> {
  #items: ((listener: OutboxListener) => void)[] = [];

  appended(hook: HookKey, lane: string, dueAt: number): void {
    this.#items.push((listener) => listener.appended(hook, lane, dueAt));
  }

  overflowed(hook: HookKey, count: number): void {
    this.#items.push((listener) => listener.overflowed(hook, count));
  }

  dropped(appId: string, what: Forgotten, count: number): void {
    this.#items.push((listener) => listener.dropped(appId, what, count));
  }

  /** Tells it, and is empty. */
  tell(listener: OutboxListener | undefined): void {
    const items = this.#items;
    this.#items = [];
    if (listener) for (const tell of items) tell(listener);
  }

  /** It has not happened. */
  clear(): void {
    this.#items = [];
  }
}
