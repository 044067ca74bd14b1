import { DEADLINE_MS } from '../deadline.ts';

/** Keeps what arrives until the test asks for it. */
export class Inbox<Item> {
  readonly #items: Item[] = [];
  readonly #name: string;
  #wake = (): void => {};

  /** @param name what is awaited, for the message when it does not come */
  constructor(name: string) {
    this.#name = name;
  }

  /** To be handed out as a listener. */
  readonly put = (item: Item): void => {
    this.#items.push(item);
    this.#wake();
  };

  /** The next thing that arrived; rejects when nothing does before the deadline. */
  async next(): Promise<Item> {
    const deadline = performance.now() + DEADLINE_MS;
    while (this.#items.length === 0) {
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`Nothing came before the deadline: ${this.#name}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#items.shift()!;
  }

  /** What arrives, up to the first thing that fits. */
  async until(fits: (item: Item) => boolean): Promise<Item[]> {
    const items: Item[] = [];
    do items.push(await this.next());
    while (!fits(items.at(-1)!));
    return items;
  }
}

/** A client, a channel, a connection or a user, of the official SDK or of ours. */
export interface Bindable {
  bind(event: string, listener: (data: unknown, metadata?: unknown) => void): unknown;
}

/** Keeps the data of all events of this name, from now on. */
export function listen<Data = unknown>(source: Bindable, event: string): Inbox<Data> {
  const inbox = new Inbox<Data>(event);
  source.bind(event, (data) => inbox.put(data as Data));
  return inbox;
}

/** Keeps the data of all events of this name with what came beside it, from now on. */
export function listenWithMetadata(
  source: Bindable,
  event: string,
): Inbox<[data: unknown, metadata: unknown]> {
  const inbox = new Inbox<[unknown, unknown]>(event);
  source.bind(event, (data, metadata) => inbox.put([data, metadata]));
  return inbox;
}

/** Keeps all events with their data, from now on. */
export function listenToAll(source: {
  bind_global(listener: (event: string, data: unknown) => void): unknown;
}): Inbox<[event: string, data: unknown]> {
  const inbox = new Inbox<[string, unknown]>('any event');
  source.bind_global((event, data) => inbox.put([event, data]));
  return inbox;
}
