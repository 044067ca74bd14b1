import type { Logger } from 'pino';
import type { AppConfig } from '../apps/app.ts';
import type { AppRepository, KeptAnswer } from '../apps/app-repository.ts';
import { type AdminConfig, hasAdmin, readMasterKey } from '../config/admin.ts';
import { ConfigError } from '../config/error.ts';
import { findMasterKey, makeMasterKey } from '../data/master-key.ts';
import { Problem } from './http/problem.ts';
import type { AdminAnswer } from './http/request.ts';
import {
  type AppRecord,
  appConfigOf,
  documentId,
  type Kept,
  nextEnd,
  readKept,
  type TokenRecord,
} from './records.ts';
import { Seal, SealError } from './seal.ts';
import type { TrailEntry } from './trail.ts';

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

/** What a change writes. */
export interface Change {
  readonly put?: readonly Kept[];
  /** Ids of documents. */
  readonly remove?: readonly string[];
  /** Ids of apps of which nothing is kept from now on. */
  readonly forget?: readonly string[];
  readonly entries: readonly TrailEntry[];
  /** The answer to whoever asked for it. */
  readonly result: AdminAnswer;
}

/** A request whose answer is kept, so that it is made once however often it comes. */
export interface Repeatable {
  readonly key: string;
  /** Of what the request asks for. */
  readonly digest: string;
  /** Unix milliseconds. */
  readonly until: number;
}

/** Is told which apps there are from now on, and resolves when all processes of this node have them. */
type Apply = (apps: readonly AppConfig[]) => Promise<void>;

/** The document that tells whether a master key is the right one. */
const KEY_CHECK = 'check';
/** Attempts to make a change that others come before. */
const MAX_ATTEMPTS = 10;
const MAX_TIMER_MS = 2_147_483_647;

/** The apps of the configuration file and those of the app store, and the tokens of the app store. */
export class Registry {
  readonly #parts: RegistryParts;
  readonly #seal: Seal | undefined;
  #file: readonly AppConfig[];
  #apps: ReadonlyMap<string, AppRecord> = new Map();
  #tokens: ReadonlyMap<string, TokenRecord> = new Map();
  #version = 0;
  /** What the broker makes of each record, as long as nothing of it ends. */
  readonly #configs = new WeakMap<
    AppRecord,
    { readonly until: number; readonly config: AppConfig | undefined }
  >();
  #apply: Apply | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The last change; each waits for the one before. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(parts: RegistryParts, seal: Seal | undefined) {
    this.#parts = parts;
    this.#seal = seal;
    this.#file = parts.file;
  }

  /**
   * Reads the app store.
   *
   * @throws ConfigError without the right master key, or if an app of the file is in the store as well
   */
  static async open(parts: RegistryParts): Promise<Registry> {
    const { admin, data, repository, now } = parts;
    const { documents, version } = await repository.changes(0);
    const given = admin.masterKey === undefined ? undefined : readMasterKey(admin.masterKey);
    let key = given ?? (data === undefined ? undefined : findMasterKey(data));
    const check = documents.find(({ id }) => id === KEY_CHECK)?.sealed;
    if (typeof check === 'string') {
      if (!key) throw wrongKey('missing, expected the key under which the app store is sealed');
      if (!isOpenedBy(key, check)) throw wrongKey('it is not the key under which the app store is sealed');
    } else if (repository.keepsDocuments && hasAdmin(admin)) {
      if (data !== undefined) key ??= makeMasterKey(data);
      if (key) {
        const sealed = new Seal(key).seal(KEY_CHECK, KEY_CHECK);
        await repository.write({
          base: version,
          documents: [{ id: KEY_CHECK, sealed }],
          entries: [],
          now: now(),
        });
      }
    }
    const registry = new Registry(parts, key && new Seal(key));
    await registry.#read();
    registry.#refuseDoubles(parts.file);
    return registry;
  }

  /** Whether apps and tokens can be made. */
  get hasStore(): boolean {
    return this.#parts.repository.keepsDocuments && this.#seal !== undefined;
  }

  /** The apps of the configuration file. */
  get file(): readonly AppConfig[] {
    return this.#file;
  }

  /** The apps of the store, by id. */
  get records(): ReadonlyMap<string, AppRecord> {
    return this.#apps;
  }

  /** The tokens of the store, by name. */
  get tokens(): ReadonlyMap<string, TokenRecord> {
    return this.#tokens;
  }

  /** All apps that clients can use. */
  get served(): readonly AppConfig[] {
    return [...this.#file, ...[...this.#apps.values()].flatMap((record) => this.#configOf(record) ?? [])];
  }

  attach(apply: Apply): void {
    this.#apply = apply;
    this.#wakeAtNextEnd();
  }

  /**
   * Takes over the apps of a configuration file that was read again.
   *
   * @throws ConfigError if one of them is in the store as well; nothing is changed then
   */
  async useFile(apps: readonly AppConfig[]): Promise<void> {
    this.#refuseDoubles(apps);
    this.#file = apps;
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
    const turn = this.#last.then(() => this.#change(work, repeatable, onMade));
    this.#last = turn.catch(() => {});
    return turn;
  }

  /**
   * The answer that a request got before.
   *
   * @throws Problem if it asked for something else then
   */
  async repeat({ key, digest }: Repeatable): Promise<AdminAnswer | undefined> {
    const { repository, now } = this.#parts;
    const sealed = await repository.answer(key, now());
    if (sealed === undefined) return undefined;
    const kept: { digest: string; result: AdminAnswer } = JSON.parse(this.#open(key, sealed));
    if (kept.digest !== digest) {
      throw new Problem(
        'idempotency_mismatch',
        'Another request to this path had this Idempotency-Key: use a new one',
      );
    }
    return { ...kept.result, headers: { ...kept.result.headers, 'Idempotency-Replayed': 'true' } };
  }

  close(): void {
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
      const { put = [], remove = [], forget = [], entries, result } = work();
      const documents = [
        ...put.map((kept) => {
          const id = documentId(kept.kind, kept.kind === 'app' ? kept.record.id : kept.record.name);
          return { id, sealed: this.#sealed(id, JSON.stringify(kept)) };
        }),
        ...remove.map((id) => ({ id, sealed: null })),
      ];
      const answer: KeptAnswer | undefined = repeatable && {
        key: repeatable.key,
        until: repeatable.until,
        sealed: this.#sealed(repeatable.key, JSON.stringify({ digest: repeatable.digest, result })),
      };
      const { repository, now } = this.#parts;
      try {
        const version = await repository.write({
          base: this.#version,
          documents,
          forget,
          entries: entries.map((entry) => JSON.stringify(entry)),
          answer,
          now: now(),
        });
        if (version !== undefined) {
          onMade(entries);
          this.#take(documents, put, version);
          if (documents.length > 0) await this.#applyAll();
          return result;
        }
      } catch (error) {
        // It may have been written: what is kept tells.
        await this.refresh().catch(() => {});
        throw error;
      }
      await this.refresh();
    }
    throw new Problem('unavailable', 'Others change the apps all the time: try again');
  }

  /** Reads what others have changed. */
  async refresh(): Promise<void> {
    const before = this.#version;
    await this.#read();
    if (this.#version !== before) await this.#applyAll();
  }

  async #read(): Promise<void> {
    const { version, isComplete, documents } = await this.#parts.repository.changes(this.#version);
    const apps = new Map(isComplete ? [] : this.#apps);
    const tokens = new Map(isComplete ? [] : this.#tokens);
    for (const { id, sealed } of documents) {
      if (id === KEY_CHECK || !this.#seal) continue;
      const [kind, name = ''] = split(id);
      if (sealed === null) (kind === 'app' ? apps : tokens).delete(name);
      else this.#store(apps, tokens, id, sealed);
    }
    this.#apps = apps;
    this.#tokens = tokens;
    this.#version = version;
  }

  #store(apps: Map<string, AppRecord>, tokens: Map<string, TokenRecord>, id: string, sealed: string): void {
    try {
      const { kind, record } = readKept(this.#open(id, sealed));
      if (kind === 'app') apps.set(record.id, record);
      else tokens.set(record.name, record);
    } catch (error) {
      this.#parts.log.error({ err: error, document: id }, 'app store: a document cannot be read');
    }
  }

  #take(
    documents: readonly { readonly id: string; readonly sealed: string | null }[],
    put: readonly Kept[],
    version: number,
  ): void {
    const apps = new Map(this.#apps);
    const tokens = new Map(this.#tokens);
    for (const { kind, record } of put) {
      if (kind === 'app') apps.set(record.id, record);
      else tokens.set(record.name, record);
    }
    for (const { id, sealed } of documents) {
      if (sealed !== null) continue;
      const [kind, name = ''] = split(id);
      (kind === 'app' ? apps : tokens).delete(name);
    }
    this.#apps = apps;
    this.#tokens = tokens;
    this.#version = version;
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
    const next = Math.min(...[...this.#apps.values()].map((record) => nextEnd(record, now)), Infinity);
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
      [...this.#apps.values()].flatMap((app) => app.keys.map(({ key }) => [key, app.id] as const)),
    );
    const problems = file.flatMap((app, index) => [
      ...(this.#apps.has(app.id)
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

  #sealed(place: string, text: string): string {
    if (this.#seal) return this.#seal.seal(place, text);
    // Without a store, what is kept ends with the process and stays in its memory.
    return text;
  }

  #open(place: string, sealed: string): string {
    return this.#seal ? this.#seal.open(place, sealed) : sealed;
  }
}

function split(id: string): [kind: string, name: string] {
  const colon = id.indexOf(':');
  return [id.slice(0, colon), id.slice(colon + 1)];
}

function isOpenedBy(key: Buffer, check: string): boolean {
  try {
    return new Seal(key).open(KEY_CHECK, check) === KEY_CHECK;
  } catch (error) {
    if (error instanceof SealError) return false;
    throw error;
  }
}

function wrongKey(why: string): ConfigError {
  return new ConfigError(undefined, [`admin.masterKey: ${why}`]);
}
