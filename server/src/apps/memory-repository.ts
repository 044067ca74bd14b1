import {
  type AppRepository,
  type DocumentChanges,
  type KeptAnswer,
  type KeptEntry,
  MAX_ANSWERS,
  MAX_ENTRIES,
  type RepositoryChange,
} from './app-repository.ts';

/** A repository for a broker whose apps are those of its file: it keeps no documents. */
export class MemoryRepository implements AppRepository {
  readonly keepsDocuments = false;
  readonly #answers = new Map<string, KeptAnswer>();
  #entries: KeptEntry[] = [];
  #version = 0;
  #last = 0;

  async changes(): Promise<DocumentChanges> {
    return { version: this.#version, isComplete: true, documents: [] };
  }

  async write({ base, documents, entries, answer, now }: RepositoryChange): Promise<number | undefined> {
    if (documents.length > 0) throw new Error('There is no place for documents');
    if (base !== this.#version) return undefined;
    this.#version += 1;
    const added = entries.map((entry) => {
      this.#last += 1;
      return { n: this.#last, entry };
    });
    this.#entries = [...added.reverse(), ...this.#entries].slice(0, MAX_ENTRIES);
    if (answer) this.#keep(answer, now);
    return this.#version;
  }

  async answer(key: string, now: number): Promise<string | undefined> {
    const answer = this.#answers.get(key);
    return answer && answer.until > now ? answer.sealed : undefined;
  }

  async entries(before: number, limit: number): Promise<readonly KeptEntry[]> {
    return this.#entries.filter(({ n }) => n < before).slice(0, limit);
  }

  #keep(answer: KeptAnswer, now: number): void {
    for (const [key, { until }] of this.#answers) {
      if (until <= now || this.#answers.size >= MAX_ANSWERS) this.#answers.delete(key);
    }
    this.#answers.set(answer.key, answer);
  }
}
