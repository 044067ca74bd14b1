import type { EventLine } from './event-line.ts';

/** Lines of each sort that are sent together, and the characters of untrusted text in them: none takes the place of another. */
const BOUNDS = {
  /** Events of a channel that is open in a page. */
  watched: { lines: 100, characters: 100_000 },
  /** Events of all other channels. */
  published: { lines: 50, characters: 50_000 },
  /** What connections do, and everything that is refused. */
  other: { lines: 200, characters: 100_000 },
} as const;

export type LineSort = keyof typeof BOUNDS;

/** Lines of the event stream that are sent together. */
export class LineBatch {
  readonly #lines: { line: EventLine; readonly receivers: Promise<number | undefined> | undefined }[] = [];
  readonly #used = {
    watched: { lines: 0, characters: 0 },
    published: { lines: 0, characters: 0 },
    other: { lines: 0, characters: 0 },
  };
  /** Lines for which there was no room. */
  dropped = 0;

  get isEmpty(): boolean {
    return this.#lines.length === 0 && this.dropped === 0;
  }

  hasRoom(sort: LineSort): boolean {
    const { lines, characters } = this.#used[sort];
    return lines < BOUNDS[sort].lines && characters < BOUNDS[sort].characters;
  }

  /** @param receivers the number of connections that got the event, if it is one */
  add(sort: LineSort, line: EventLine, receivers?: Promise<number | undefined>): void {
    const used = this.#used[sort];
    used.lines += 1;
    for (const text of Object.values(line)) if (typeof text === 'string') used.characters += text.length;
    this.#lines.push({ line, receivers });
  }

  /** The lines in their order, when the receivers of all are counted. */
  lines(): Promise<EventLine[]> {
    return Promise.all(
      this.#lines.map(async ({ line, receivers }) => {
        const counted = await receivers;
        return counted === undefined ? line : { ...line, receivers: counted };
      }),
    );
  }
}
