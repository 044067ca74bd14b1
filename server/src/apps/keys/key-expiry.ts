import type { App, AppStore } from '../app.ts';

/** Milliseconds between looks at the clock, which somebody may set. */
const LOOK_MS = 1000;

/** Notices that keys have expired: one timer for the keys of all apps, and none while no key has an end ahead. */
export class KeyExpiry {
  readonly #apps: AppStore;
  readonly #onExpired: () => void;
  /** Unix milliseconds of the next end. */
  #next = Infinity;
  #timer: NodeJS.Timeout | undefined;

  /** @param onExpired called when a key has expired */
  constructor(apps: AppStore, onExpired: () => void) {
    this.#apps = apps;
    this.#onExpired = onExpired;
    this.consider(apps.all());
  }

  /** The keys of these apps may have changed. An end that was taken back only makes it look once in vain. */
  consider(apps: Iterable<App | undefined>): void {
    const now = Date.now();
    for (const app of apps) {
      for (const { expiresAt = 0 } of app?.allKeys ?? []) {
        if (expiresAt > now) this.#next = Math.min(this.#next, expiresAt);
      }
    }
    this.#arm();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#next === Infinity) return;
    const delay = Math.min(Math.max(0, this.#next - Date.now()), LOOK_MS);
    this.#timer = setTimeout(() => this.#look(), delay).unref();
  }

  #look(): void {
    if (Date.now() < this.#next) return this.#arm();
    this.#next = Infinity;
    this.consider(this.#apps.all());
    this.#onExpired();
  }
}
