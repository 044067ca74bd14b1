import type { HookKey } from '../../apps/hook.ts';
import type { Forgotten, OutboxListener } from './outbox.ts';

/** Collects what a listener is told once the transaction is committed. */
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

  /** Tells the listener everything, and starts afresh. */
  tell(listener: OutboxListener | undefined): void {
    const items = this.#items;
    this.#items = [];
    if (listener) for (const tell of items) tell(listener);
  }

  /** The transaction was rolled back: nothing is told. */
  clear(): void {
    this.#items = [];
  }
}
