import type { Logger } from 'pino';
import type { AppConfig, AppName } from '../../apps/app.ts';
import type { AppChanges } from '../../apps/app-changes.ts';
import type { AppRepository } from '../../apps/app-repository.ts';
import type { AdminConfig } from '../../config/admin.ts';
import { ConfigError } from '../../config/error.ts';
import { severityOf } from '../../errors.ts';
import { Problem } from '../http/problem.ts';
import type { AdminAnswer } from '../http/request.ts';
import type { TrailEntry } from '../trail.ts';
import { type Change, Documents, type Repeatable } from './documents.ts';
import { openSeal } from './open-seal.ts';
import type { AppRecord, TokenRecord } from './records.ts';
import { ServedApps } from './served-apps.ts';

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

/** Is told what is different about the apps from now on, and resolves when all processes of this node have that. */
export type Apply = (changes: AppChanges) => Promise<void>;

/** Attempts to make a change that others come before. */
const MAX_ATTEMPTS = 10;
const MAX_TIMER_MS = 2_147_483_647;

/** The apps of the configuration file and those of the app store, and the tokens of the app store. */
export class Registry {
  readonly #parts: RegistryParts;
  readonly #documents: Documents;
  readonly #served: ServedApps;
  #file: readonly AppConfig[];
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
    this.#served = new ServedApps({ ...parts, records: documents.apps });
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
    registry.#served.update(await documents.read());
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

  /** An app of the configuration file. */
  ofFile(id: string): AppConfig | undefined {
    return this.#served.ofFile(id);
  }

  /** Whether a key is taken, for an app of the store. */
  isTaken(key: string, appId: string): boolean {
    return this.#served.isOfFile(key) || (this.#documents.appOfKey(key) ?? appId) !== appId;
  }

  /** The apps of the store, by id. */
  get records(): ReadonlyMap<string, AppRecord> {
    return this.#documents.apps;
  }

  /** The tokens of the store, by name. */
  get tokens(): ReadonlyMap<string, TokenRecord> {
    return this.#documents.tokens;
  }

  /** All apps that clients can use. */
  get served(): readonly AppConfig[] {
    return this.#served.all();
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
    await this.#tell(this.#served.useFile(apps));
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
    return 'key' in app ? this.#served.isOfFile(app.key) : this.ofFile(app.id) !== undefined;
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
        const apps = await this.#documents.write(change, repeatable);
        if (apps) {
          onMade(change.entries);
          await this.#tell(this.#served.update(apps));
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
    if (!this.#isClosed) await this.#tell(this.#served.update(await this.#documents.read()));
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #tell(changes: AppChanges): Promise<void> {
    this.#wakeAtNextEnd();
    if (changes.put.length > 0 || changes.removed.length > 0) await this.#apply?.(changes);
  }

  /** Secrets of webhooks end on time. */
  #wakeAtNextEnd(): void {
    clearTimeout(this.#timer);
    const { nextEnd } = this.#served;
    if (nextEnd === Infinity) return;
    const delay = Math.min(nextEnd * 1000 - this.#parts.now(), MAX_TIMER_MS);
    const wake = () => {
      this.#tell(this.#served.updateEnded()).catch((error: unknown) => {
        this.#parts.log.error({ err: error }, 'the end of a secret could not be applied');
      });
    };
    this.#timer = setTimeout(wake, Math.max(1, delay)).unref();
  }

  #refuseDoubles(file: readonly AppConfig[]): void {
    const problems = file.flatMap((app, index) => [
      ...(this.records.has(app.id)
        ? [
            `apps[${index}].id: got ${JSON.stringify(app.id)}, expected an id that no app of the app store has`,
          ]
        : []),
      ...app.keys.flatMap(({ key }, at) => {
        const owner = this.#documents.appOfKey(key);
        if (owner === undefined) return [];
        return [`apps[${index}].keys[${at}].key: app ${owner} of the app store has it, expected another key`];
      }),
    ]);
    if (problems.length > 0) throw new ConfigError(undefined, problems);
  }
}
