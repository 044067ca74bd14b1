import type { App, AppStore } from '../apps/app.ts';
import { type KeyUses, mergeKeyUses } from '../apps/keys/key-usage.ts';
import type { Nodes } from './questions.ts';

/** When keys were used last, remembered beyond the end of the process that has seen it. Times are Unix seconds. */
export interface KeptKeyUses {
  /** Adds what a process has seen: of each use the later time stays. */
  add(appId: string, uses: KeyUses): Promise<void>;
  of(appId: string): Promise<KeyUses>;
}

/** Days for which a use is remembered, longer than any rotation takes. */
export const KEPT_USE_DAYS = 400;

/** Milliseconds between two writes of one process. */
const WRITE_MS = 60_000;

export interface KeyUseWriterParts {
  readonly apps: Pick<AppStore, 'all'>;
  readonly kept: KeptKeyUses;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Writes once a minute, and at the end, which keys this process has seen in use. What cannot be written then is written later. */
export class KeyUseWriter {
  readonly #parts: KeyUseWriterParts;
  readonly #timer: NodeJS.Timeout;
  /** Unix seconds of the last write of each app: only later uses are news. */
  readonly #writtenAt = new WeakMap<App, number>();
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: KeyUseWriterParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.#write(), WRITE_MS).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#write();
  }

  #write(): Promise<void> {
    // A store that does not answer is not asked a second time meanwhile.
    this.#writing = this.#writing.then(() => this.#writeNews());
    return this.#writing;
  }

  async #writeNews(): Promise<void> {
    const { apps, kept, now } = this.#parts;
    const at = Math.floor(now() / 1000);
    await Promise.allSettled(
      Array.from(apps.all(), async (app) => {
        const news = since(app.keyUses.lastUses, this.#writtenAt.get(app) ?? 0);
        if (Object.keys(news).length === 0) return;
        await kept.add(app.id, news);
        this.#writtenAt.set(app, at);
      }),
    );
  }
}

/** The uses from a second on. */
function since(uses: KeyUses, from: number): KeyUses {
  const news = Object.entries(uses).flatMap(([key, last]) => {
    const later = Object.entries(last).filter(([, at]) => at >= from);
    return later.length > 0 ? [[key, Object.fromEntries(later)] as const] : [];
  });
  return Object.fromEntries(news);
}

/** When the keys of an app were used last, as all processes know it now and as it was remembered. */
export async function lastUsesOf(
  { nodes, keyUses: kept }: { readonly nodes: Nodes; readonly keyUses: KeptKeyUses },
  appId: string,
): Promise<{ readonly keyUses: KeyUses; readonly pending: readonly string[] }> {
  const [{ keyUses, pending }, before] = await Promise.all([
    nodes.ask({ kind: 'keyUses', appId }),
    kept.of(appId),
  ]);
  return { keyUses: mergeKeyUses(before, keyUses), pending };
}
