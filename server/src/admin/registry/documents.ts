import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { AppRepository, KeptAnswer, KeptDocument } from '../../apps/app-repository.ts';
import { Problem } from '../http/problem.ts';
import type { AdminAnswer } from '../http/request.ts';
import type { TrailEntry } from '../trail.ts';
import { KEY_CHECK } from './open-seal.ts';
import { type AppRecord, documentId, type Kept, readKept, type TokenRecord } from './records.ts';
import type { Seal } from './seal.ts';

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

/** Characters that all sealed documents may have together. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The apps and tokens of the app store as this node knows them, and the version of the store that they are of. */
export class Documents {
  readonly #repository: AppRepository;
  readonly #seal: Seal | undefined;
  readonly #now: () => number;
  readonly #log: Logger;
  readonly #apps = new Map<string, AppRecord>();
  readonly #tokens = new Map<string, TokenRecord>();
  /** Which app has a key. */
  readonly #appOfKey = new Map<string, string>();
  #version = 0;
  /** By id of a document. */
  readonly #sizes = new Map<string, number>();
  /** The sum of the sizes. */
  #bytes = 0;

  /** @param seal `undefined`: nothing is kept */
  constructor(repository: AppRepository, seal: Seal | undefined, now: () => number, log: Logger) {
    this.#repository = repository;
    this.#seal = seal;
    this.#now = now;
    this.#log = log;
  }

  /** Whether apps and tokens can be kept. */
  get areKept(): boolean {
    return this.#repository.keepsDocuments && this.#seal !== undefined;
  }

  /** A key that all nodes with these documents have; another one at each start where nothing is kept. */
  keyFor(purpose: string): Buffer {
    return this.areKept && this.#seal ? this.#seal.keyFor(purpose) : randomBytes(32);
  }

  get apps(): ReadonlyMap<string, AppRecord> {
    return this.#apps;
  }

  get tokens(): ReadonlyMap<string, TokenRecord> {
    return this.#tokens;
  }

  /** The id of the app of the store that has a key. */
  appOfKey(key: string): string | undefined {
    return this.#appOfKey.get(key);
  }

  /** Reads what others have changed. @returns the ids of the apps that it concerns */
  async read(): Promise<readonly string[]> {
    const { version, isComplete, documents } = await this.#repository.changes(this.#version);
    if (version === this.#version) return [];
    if (!isComplete) return this.#take(documents, version);
    const standing = new Set(documents.map(({ id }) => id));
    const gone = [...this.#sizes.keys()].filter((id) => !standing.has(id));
    return this.#take([...gone.map((id) => ({ id, sealed: null })), ...documents], version);
  }

  /**
   * Writes a change that was made for what is known here.
   *
   * @returns the ids of the apps that it concerns; `undefined`: another node came first, and what it changed must be read
   * @throws Problem if there is no room
   */
  async write(change: Change, repeatable: Repeatable | undefined): Promise<readonly string[] | undefined> {
    const { put = [], remove = [], forget = [], entries, result } = change;
    const documents = [
      ...put.map((kept) => {
        const id = documentId(kept.kind, kept.kind === 'app' ? kept.record.id : kept.record.name);
        return { id, sealed: this.#sealed(id, JSON.stringify(kept)) };
      }),
      ...remove.map((id) => ({ id, sealed: null })),
    ];
    if (put.length > 0) this.#refuseTooMuch(documents);
    const answer: KeptAnswer | undefined = repeatable && {
      key: repeatable.key,
      until: repeatable.until,
      sealed: this.#sealed(repeatable.key, JSON.stringify({ digest: repeatable.digest, result })),
    };
    const version = await this.#repository.write({
      base: this.#version,
      documents,
      forget,
      entries: entries.map((entry) => JSON.stringify(entry)),
      answer,
      now: this.#now(),
    });
    return version === undefined ? undefined : this.#take(documents, version);
  }

  /**
   * The answer that a request got before.
   *
   * @throws Problem if it asked for something else then
   */
  async repeat({ key, digest }: Repeatable): Promise<AdminAnswer | undefined> {
    const sealed = await this.#repository.answer(key, this.#now());
    if (sealed === undefined) return undefined;
    const kept: { digest: string; result: AdminAnswer } = JSON.parse(this.#opened(key, sealed));
    if (kept.digest !== digest) {
      throw new Problem(
        'idempotency_mismatch',
        'Another request to this path had this Idempotency-Key: use a new one',
      );
    }
    return { ...kept.result, headers: { ...kept.result.headers, 'Idempotency-Replayed': 'true' } };
  }

  /** @returns the ids of the apps among them */
  #take(documents: readonly KeptDocument[], version: number): readonly string[] {
    const apps: string[] = [];
    for (const { id, sealed } of documents) {
      this.#bytes += this.#growth(id, sealed);
      if (sealed === null) this.#sizes.delete(id);
      else this.#sizes.set(id, sealed.length);
      if (id === KEY_CHECK || !this.#seal) continue;
      const colon = id.indexOf(':');
      const [kind, name] = [id.slice(0, colon), id.slice(colon + 1)];
      const kept = sealed === null ? undefined : this.#open(id, sealed);
      // One that cannot be read stays what it was.
      if (sealed !== null && !kept) continue;
      if (kind === 'app') {
        this.#setApp(name, kept?.kind === 'app' ? kept.record : undefined);
        apps.push(name);
      } else if (kept?.kind === 'token') this.#tokens.set(name, kept.record);
      else this.#tokens.delete(name);
    }
    this.#version = version;
    return apps;
  }

  #setApp(id: string, record: AppRecord | undefined): void {
    for (const { key } of this.#apps.get(id)?.keys ?? []) {
      // Unless another app has it already.
      if (this.#appOfKey.get(key) === id) this.#appOfKey.delete(key);
    }
    if (!record) return void this.#apps.delete(id);
    this.#apps.set(id, record);
    for (const { key } of record.keys) this.#appOfKey.set(key, id);
  }

  #open(id: string, sealed: string): Kept | undefined {
    try {
      return readKept(this.#opened(id, sealed));
    } catch (error) {
      this.#log.error({ err: error, document: id }, 'app store: a document cannot be read');
      return undefined;
    }
  }

  #refuseTooMuch(documents: readonly KeptDocument[]): void {
    const growth = documents.reduce((sum, { id, sealed }) => sum + this.#growth(id, sealed), 0);
    if (this.#bytes + growth > MAX_BYTES)
      throw new Problem('limit_reached', `The app store has its ${MAX_BYTES / 1024 / 1024} MiB`);
  }

  /** By how much a document makes the store larger. */
  #growth(id: string, sealed: string | null): number {
    return (sealed?.length ?? 0) - (this.#sizes.get(id) ?? 0);
  }

  #sealed(place: string, text: string): string {
    if (this.#seal) return this.#seal.seal(place, text);
    // Without a store, what is kept ends with the process and stays in its memory.
    return text;
  }

  #opened(place: string, sealed: string): string {
    return this.#seal ? this.#seal.open(place, sealed) : sealed;
  }
}
