import { z } from 'zod';
import {
  type AppRepository,
  type DocumentChanges,
  type KeptDocument,
  type KeptEntry,
  MAX_ANSWERS,
  MAX_ENTRIES,
  type RepositoryChange,
} from '../../apps/app-repository.ts';
import { Unavailable } from '../../errors.ts';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import type { Topic } from '../topic.ts';
import type { Keys } from './keys.ts';
import { scripts } from './scripts.ts';

/** The topic on which changes of the app store are announced, to which every node listens; no app can have it. */
export const APPS: Topic = ':apps';

const newsSchema = z.object({ version: z.number() });
const changesSchema = z.tuple([z.coerce.number(), z.number(), z.array(z.string())]);
const entriesSchema = z.array(z.string());
const OUTDATED = 'outdated';
/** Attempts to read what other nodes put back at the same time. */
const MAX_ATTEMPTS = 5;

/** How this node hears of changes. */
export interface NewsLink {
  /** Whether nothing was missed, as far as is known. */
  isCurrent(): boolean;
  /** Waits until nothing is missed. @throws Unavailable */
  caughtUp(): Promise<void>;
}

/**
 * The documents of the admin API in Redis, for all nodes. Each node also has them in memory: when Redis has lost its data, or a
 * replica without the last changes has taken over, the nodes put them back, and the newest version wins.
 */
export class RedisAppRepository implements AppRepository {
  readonly keepsDocuments = true;
  readonly #commands: ScriptRunner;
  readonly #key: string;
  readonly #link: NewsLink;
  readonly #kept = new Map<string, string>();
  #version = 0;
  /** News so far, and those of them that were read. */
  #heard = 0;
  #read = 0;
  #onNews: (() => void) | undefined;

  constructor(commands: ScriptRunner, keys: Keys, link: NewsLink) {
    this.#commands = commands;
    this.#key = keys.topic(APPS);
    this.#link = link;
  }

  get isCurrent(): boolean {
    return this.#read === this.#heard && this.#link.isCurrent();
  }

  listening(): Promise<void> {
    return this.#link.caughtUp();
  }

  follow(onNews: () => void): void {
    this.#onNews = onNews;
    // Something may have changed since it was read.
    this.missed();
  }

  /** A message of the topic. */
  heard(message: unknown): void {
    const { version } = newsSchema.parse(message);
    if (version > this.#version) this.missed();
  }

  /** Something may have changed. */
  missed(): void {
    this.#heard += 1;
    this.#onNews?.();
  }

  /** Tries again to read what could not be read before. */
  retry(): void {
    if (this.#read !== this.#heard) this.#onNews?.();
  }

  async changes(since: number): Promise<DocumentChanges> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const heard = this.#heard;
      const answer = await this.#commands.run(scripts.changesOfApps, this.#key, since);
      const [version, isComplete, found] = changesSchema.parse(answer);
      if (version >= since) {
        const documents = pairsOf(found);
        if (isComplete === 1) this.#kept.clear();
        this.#keep(documents, version);
        this.#read = heard;
        return { version, isComplete: isComplete === 1, documents };
      }
      await this.#commands.runBeforeDeadline(
        scripts.restoreApps,
        this.#key,
        since,
        ...[...this.#kept].flat(),
      );
    }
    throw new Unavailable('Redis has lost the apps, and they could not be put back');
  }

  async write(change: RepositoryChange): Promise<number | undefined> {
    const { base, documents, entries, answer, now } = change;
    const written = await this.#commands.runBeforeDeadline(
      scripts.writeApps,
      this.#key,
      base,
      now,
      MAX_ENTRIES,
      MAX_ANSWERS,
      answer?.key ?? '',
      answer?.sealed ?? '',
      answer?.until ?? '',
      documents.length,
      ...documents.flatMap(({ id, sealed }) => [id, sealed ?? '']),
      ...entries,
    );
    if (written === OUTDATED) return undefined;
    const version = Number(written);
    this.#keep(documents, version);
    return version;
  }

  async answer(key: string, now: number): Promise<string | undefined> {
    const kept = await this.#commands.run(scripts.keptAnswer, this.#key, key, now);
    return z.string().nullable().parse(kept) ?? undefined;
  }

  async entries(before: number, limit: number): Promise<readonly KeptEntry[]> {
    const found = await this.#commands.run(scripts.adminEntries, this.#key, before, limit);
    return entriesSchema.parse(found).map((text) => {
      const space = text.indexOf(' ');
      return { n: Number(text.slice(0, space)), entry: text.slice(space + 1) };
    });
  }

  #keep(documents: readonly KeptDocument[], version: number): void {
    for (const { id, sealed } of documents) {
      if (sealed === null) this.#kept.delete(id);
      else this.#kept.set(id, sealed);
    }
    this.#version = version;
  }
}

/** Reads what comes as id, text, id, text; in the order of the ids. */
function pairsOf(flat: readonly string[]): KeptDocument[] {
  const documents: KeptDocument[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    documents.push({ id: flat[at] ?? '', sealed: flat[at + 1] || null });
  }
  return documents.sort((a, b) => (a.id < b.id ? -1 : 1));
}
