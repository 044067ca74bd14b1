import type { Logger } from 'pino';
import type { AppConfig, AppName } from '../../apps/app.ts';
import type { AppRepository } from '../../apps/app-repository.ts';
import type { AdminConfig } from '../../config/admin.ts';
import { ConfigError } from '../../config/error.ts';
import { severityOf } from '../../errors.ts';
import { Problem } from '../http/problem.ts';
import type { AdminAnswer } from '../http/request.ts';
import type { TrailEntry } from '../trail.ts';
import { type Change, Documents, type Repeatable } from './documents.ts';
import { openSeal } from './open-seal.ts';
import { type AppRecord, appConfigOf, nextEnd, type TokenRecord } from './records.ts';

export interface RegistryParts {
  readonly file: readonly AppConfig[];
  readonly admin: AdminConfig;
  /** The data directory, which holds the master key of a single node. */
  readonly data: string | undefined;
  readonly repository: AppRepository;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly log: Logger;
}

/** Is told which apps there are from now on, and resolves when all processes of this node have them. */
type Apply = (apps: readonly AppConfig[]) => Promise<void>;

/** Attempts to make a change that others come before. */
const MAX_ATTEMPTS = 10;
const MAX_TIMER_MS = 2_147_483_647;

/** The apps of the configuration file and those of the app store, and the tokens of the app store. */
export class Registry {
  readonly #parts: RegistryParts;
  readonly #documents: Documents;
  #file: readonly AppConfig[];
  #fileKeys: ReadonlySet<string>;
  /** What the broker makes of each record, as long as nothing of it ends. */
  readonly #configs = new WeakMap<
    AppRecord,
    { readonly until: number; readonly config: AppConfig | undefined }
  >();
  #apply: Apply | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The last change or reading; each waits for the one before. */
  #last: Promise<unknown> = Promise.resolve();
  #refreshing: Promise<void> | undefined;
  #isClosed = false;

  private constructor(parts: RegistryParts, documents: Documents) {
    this.#parts = parts;
    this.#documents = documents;
    this.#file = parts.file;
    this.#fileKeys = keysOf(parts.file);
  }

  /**
   * Reads the app store.
   *
   * @throws ConfigError without the right master key, or if an app of the file is in the store as well
   */
  static async open(parts: RegistryParts): Promise<Registry> {
    const { repository, now, log } = parts;
    const documents = new Documents(repository, await openSeal(parts), now, log);
    const registry = new Registry(parts, documents);
    await documents.read();
    registry.#refuseDoubles(parts.file);
    return registry;
  }

  /** Whether apps and tokens can be made. */
  get hasStore(): boolean {
    return this.#documents.areKept;
  }

  /** A key that all nodes with this app store have; another one at each start without a store. */
  keyFor(purpose: string): Buffer {
    return this.#documents.keyFor(purpose);
  }

  /** The apps of the configuration file. */
  get file(): readonly AppConfig[] {
    return this.#file;
  }

  /** The apps of the store, by id. */
  get records(): ReadonlyMap<string, AppRecord> {
    return this.#documents.apps;
  }

  /** The tokens of the store, by name. */
  get tokens(): ReadonlyMap<string, TokenRecord> {
    return this.#documents.tokens;
  }

  /** All apps that clients can use. One of the file goes before one of the store that a node with another file has made. */
  get served(): readonly AppConfig[] {
    const ids = new Set(this.#file.map(({ id }) => id));
    const ofStore = [...this.records.values()].filter(
      ({ id, keys }) => !ids.has(id) && !keys.some(({ key }) => this.#fileKeys.has(key)),
    );
    return [...this.#file, ...ofStore.flatMap((record) => this.#configOf(record) ?? [])];
  }

  attach(apply: Apply): void {
    this.#apply = apply;
    this.#wakeAtNextEnd();
    this.#parts.repository.follow?.(() => this.#heardNews());
  }

  /**
   * Takes over the apps of a configuration file that was read again.
   *
   * @throws ConfigError if one of them is in the store as well; nothing is changed then
   */
  async useFile(apps: readonly AppConfig[]): Promise<void> {
    this.#refuseDoubles(apps);
    this.#file = apps;
    this.#fileKeys = keysOf(apps);
    await this.#applyAll();
  }

  /**
   * Makes a change once those before it are made. When it resolves, this node has it.
   *
   * @param work may be called again, if another node came first
   * @param repeatable the request, if its answer is kept
   * @param onMade called once the change is committed; not for an answer that is repeated
   */
  change(
    work: () => Change,
    repeatable: Repeatable | undefined,
    onMade: (entries: readonly TrailEntry[]) => void,
  ): Promise<AdminAnswer> {
    return this.#inTurn(() => this.#change(work, repeatable, onMade));
  }

  /**
   * The answer that a request got before.
   *
   * @throws Problem if it asked for something else then
   */
  repeat(repeatable: Repeatable): Promise<AdminAnswer | undefined> {
    return this.#documents.repeat(repeatable);
  }

  /**
   * Waits until this node has what other nodes have changed; those that are cut off do not know it.
   *
   * @param app those of the configuration file are not changed by others
   * @returns `undefined`: it has
   * @throws Unavailable if that cannot be known now
   */
  caughtUp(app?: AppName): Promise<void> | undefined {
    const { isCurrent = true } = this.#parts.repository;
    if (isCurrent || (app && this.#isOfFile(app))) return undefined;
    return this.#catchUp();
  }

  #isOfFile(app: AppName): boolean {
    return 'key' in app ? this.#fileKeys.has(app.key) : this.#file.some(({ id }) => id === app.id);
  }

  /** Reads the store once what is in progress is done; whoever asks before it begins gets the same reading. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#inTurn(() => {
      this.#refreshing = undefined;
      return this.#readAndApply();
    });
    return this.#refreshing;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #change(
    work: () => Change,
    repeatable: Repeatable | undefined,
    onMade: (entries: readonly TrailEntry[]) => void,
  ): Promise<AdminAnswer> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const repeated = repeatable && (await this.repeat(repeatable));
      if (repeated) return repeated;
      const change = work();
      try {
        if (await this.#documents.write(change, repeatable)) {
          onMade(change.entries);
          if (change.put || change.remove) await this.#applyAll();
          return change.result;
        }
      } catch (error) {
        // It may have been written: what is kept tells.
        await this.#readAndApply().catch(() => {});
        throw error;
      }
      await this.#readAndApply();
    }
    throw new Problem('unavailable', 'Others change the apps all the time: try again');
  }

  #heardNews(): void {
    this.refresh().catch((error: unknown) => {
      // It is tried again when Redis is heard from.
      this.#parts.log[severityOf(error)]({ err: error }, 'app store: a change could not be read');
    });
  }

  async #catchUp(): Promise<void> {
    await this.#parts.repository.listening?.();
    await this.refresh();
  }

  async #readAndApply(): Promise<void> {
    if (!this.#isClosed && (await this.#documents.read())) await this.#applyAll();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #applyAll(): Promise<void> {
    this.#wakeAtNextEnd();
    await this.#apply?.(this.served);
  }

  #configOf(record: AppRecord): AppConfig | undefined {
    const now = this.#seconds();
    const known = this.#configs.get(record);
    if (known && known.until > now) return known.config;
    let config: AppConfig | undefined;
    try {
      config = appConfigOf(record, now);
    } catch (error) {
      this.#parts.log.error({ err: error, appId: record.id }, 'app store: an app cannot be served');
    }
    this.#configs.set(record, { until: nextEnd(record, now), config });
    return config;
  }

  /** Secrets of webhooks end on time. */
  #wakeAtNextEnd(): void {
    clearTimeout(this.#timer);
    const now = this.#seconds();
    const next = Math.min(...[...this.records.values()].map((record) => nextEnd(record, now)), Infinity);
    if (next === Infinity) return;
    const delay = Math.min(next * 1000 - this.#parts.now(), MAX_TIMER_MS);
    const wake = () => {
      this.#applyAll().catch((error: unknown) => {
        this.#parts.log.error({ err: error }, 'the end of a secret could not be applied');
      });
    };
    this.#timer = setTimeout(wake, Math.max(1, delay)).unref();
  }

  #seconds(): number {
    return Math.floor(this.#parts.now() / 1000);
  }

  #refuseDoubles(file: readonly AppConfig[]): void {
    const keys = new Map(
      [...this.records.values()].flatMap((app) => app.keys.map(({ key }) => [key, app.id] as const)),
    );
    const problems = file.flatMap((app, index) => [
      ...(this.records.has(app.id)
        ? [
            `apps[${index}].id: got ${JSON.stringify(app.id)}, expected an id that no app of the app store has`,
          ]
        : []),
      ...app.keys.flatMap(({ key }, at) =>
        keys.has(key)
          ? [
              `apps[${index}].keys[${at}].key: app ${keys.get(key)} of the app store has it, expected another key`,
            ]
          : [],
      ),
    ]);
    if (problems.length > 0) throw new ConfigError(undefined, problems);
  }
}

function keysOf(apps: readonly AppConfig[]): Set<string> {
  return new Set(apps.flatMap(({ keys }) => keys.map(({ key }) => key)));
}
