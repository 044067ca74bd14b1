import type { Logger } from 'pino';
import type { AppConfig } from '../../apps/app.ts';
import type { AppChanges } from '../../apps/app-changes.ts';
import { type AppRecord, appConfigOf, nextEnd } from './records.ts';

interface ServedAppsParts {
  readonly file: readonly AppConfig[];
  /** The apps of the store as they are now, by id. */
  readonly records: ReadonlyMap<string, AppRecord>;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

/**
 * All apps that clients can use. One of the file goes before one of the store that a node with another file has made. What a
 * change costs depends on how many apps it concerns, and not on how many there are.
 */
export class ServedApps {
  readonly #parts: ServedAppsParts;
  #file: ReadonlyMap<string, AppConfig> = new Map();
  #fileKeys: ReadonlySet<string> = new Set();
  readonly #served = new Map<string, AppConfig>();
  /** What the broker makes of each record, as long as nothing of it ends. */
  readonly #configs = new WeakMap<
    AppRecord,
    { readonly until: number; readonly config: AppConfig | undefined }
  >();
  /** By id of an app of the store: when a secret of its webhooks ends next, in Unix seconds. */
  readonly #ends = new Map<string, number>();

  constructor(parts: ServedAppsParts) {
    this.#parts = parts;
    this.useFile(parts.file);
  }

  all(): readonly AppConfig[] {
    return [...this.#served.values()];
  }

  /** An app of the configuration file. */
  ofFile(id: string): AppConfig | undefined {
    return this.#file.get(id);
  }

  /** Whether an app of the configuration file has the key. */
  isOfFile(key: string): boolean {
    return this.#fileKeys.has(key);
  }

  useFile(file: readonly AppConfig[]): AppChanges {
    const before = this.#file.keys();
    this.#file = new Map(file.map((app) => [app.id, app]));
    this.#fileKeys = new Set(file.flatMap(({ keys }) => keys.map(({ key }) => key)));
    return this.update(new Set([...this.#file.keys(), ...before, ...this.#parts.records.keys()]));
  }

  /** Makes anew what is served of these apps. */
  update(ids: Iterable<string>): AppChanges {
    const put: AppConfig[] = [];
    const removed: string[] = [];
    for (const id of ids) {
      const config = this.#configOf(id);
      if (config === this.#served.get(id)) continue;
      if (config) {
        this.#served.set(id, config);
        put.push(config);
      } else {
        this.#served.delete(id);
        removed.push(id);
      }
    }
    return { put, removed };
  }

  /** Makes the apps anew of which a secret has ended. */
  updateEnded(): AppChanges {
    const now = this.#seconds();
    return this.update([...this.#ends].filter(([, end]) => end <= now).map(([id]) => id));
  }

  /** When a secret ends next, in Unix seconds; `Infinity`: never. */
  get nextEnd(): number {
    let next = Infinity;
    for (const end of this.#ends.values()) next = Math.min(next, end);
    return next;
  }

  #configOf(id: string): AppConfig | undefined {
    this.#ends.delete(id);
    const file = this.#file.get(id);
    if (file) return file;
    const record = this.#parts.records.get(id);
    if (!record || record.keys.some(({ key }) => this.#fileKeys.has(key))) return undefined;
    const { config, until } = this.#read(record);
    if (until !== Infinity) this.#ends.set(id, until);
    return config;
  }

  #read(record: AppRecord): { readonly until: number; readonly config: AppConfig | undefined } {
    const now = this.#seconds();
    const known = this.#configs.get(record);
    if (known && known.until > now) return known;
    let config: AppConfig | undefined;
    try {
      config = appConfigOf(record, now);
    } catch (error) {
      this.#parts.log.error({ err: error, appId: record.id }, 'app store: an app cannot be served');
    }
    const read = { until: nextEnd(record, now), config };
    this.#configs.set(record, read);
    return read;
  }

  #seconds(): number {
    return Math.floor(this.#parts.now() / 1000);
  }
}
