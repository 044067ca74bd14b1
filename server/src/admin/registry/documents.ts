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
  #apps: ReadonlyMap<string, AppRecord> = new Map();
  #tokens: ReadonlyMap<string, TokenRecord> = new Map();
  #version = 0;
  /** By id of a document. */
  #sizes = new Map<string, number>();

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

  /** Reads what others have changed. @returns whether anything has changed */
  async read(): Promise<boolean> {
    const before = this.#version;
    const { version, isComplete, documents } = await this.#repository.changes(before);
    if (isComplete) {
      this.#apps = new Map();
      this.#tokens = new Map();
      this.#sizes = new Map();
    }
    this.#take(documents, version);
    return version !== before;
  }

  /**
   * Writes a change that was made for what is known here.
   *
   * @returns `false`: another node came first, and what it changed must be read
   * @throws Problem if there is no room
   */
  async write(change: Change, repeatable: Repeatable | undefined): Promise<boolean> {
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
    if (version === undefined) return false;
    this.#take(documents, version);
    return true;
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

  #take(documents: readonly KeptDocument[], version: number): void {
    const apps = new Map(this.#apps);
    const tokens = new Map(this.#tokens);
    for (const { id, sealed } of documents) {
      if (sealed === null) this.#sizes.delete(id);
      else this.#sizes.set(id, sealed.length);
      if (id === KEY_CHECK || !this.#seal) continue;
      const colon = id.indexOf(':');
      const [kind, name] = [id.slice(0, colon), id.slice(colon + 1)];
      if (sealed === null) (kind === 'app' ? apps : tokens).delete(name);
      else this.#open(apps, tokens, id, sealed);
    }
    this.#apps = apps;
    this.#tokens = tokens;
    this.#version = version;
  }

  #open(apps: Map<string, AppRecord>, tokens: Map<string, TokenRecord>, id: string, sealed: string): void {
    try {
      const { kind, record } = readKept(this.#opened(id, sealed));
      if (kind === 'app') apps.set(record.id, record);
      else tokens.set(record.name, record);
    } catch (error) {
      this.#log.error({ err: error, document: id }, 'app store: a document cannot be read');
    }
  }

  #refuseTooMuch(documents: readonly KeptDocument[]): void {
    const sizes = new Map(this.#sizes);
    for (const { id, sealed } of documents) sizes.set(id, sealed?.length ?? 0);
    const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    if (bytes > MAX_BYTES)
      throw new Problem('limit_reached', `The app store has its ${MAX_BYTES / 1024 / 1024} MiB`);
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
