import { setImmediate } from 'node:timers';
import { RequestError } from '../errors.ts';
import type { Settings } from '../options.ts';
import type { BatchAnswer, ChannelAttributes, TriggerAnswer } from './broker-answers.ts';
import type { BatchItem, EventBody } from './event.ts';
import { PublishSocket } from './publish-socket.ts';
import { type Answer, exchange } from './request.ts';

/** A publish that waits for its answer. */
interface Publish {
  readonly body: EventBody;
  /** The time by `performance.now()` at which the caller gets a `TimeoutError`. */
  readonly deadline: number;
  resolve(answer: TriggerAnswer): void;
  reject(error: unknown): void;
}

/** How many events of one batch the broker takes: it says so in its answer, and takes as many if the request has the header. */
const BATCH_SIZE = 'countersign-batch-size';
/** Larger batches save nothing. */
const MAX_BATCH_SIZE = 1000;
/** Characters of data in one batch; brokers limit the body to 1 MiB. */
const MAX_BATCH_DATA = 262_144;
/** Refusals that may concern one event only. A batch that is refused has published nothing. */
const REFUSED_FOR_ONE = new Set([400, 403, 404, 413, 422]);

/**
 * Publishes events, and sends those of one turn of the event loop together. Each caller gets its own answer or error, and
 * events of the same channel and turn are published in the order of the calls.
 */
export class Publisher {
  readonly #settings: Settings;
  /** `undefined`: each batch is a request. */
  readonly #socket: PublishSocket | undefined;
  /** What is published over it and not answered. */
  readonly #unanswered = new Set<Promise<unknown>>();
  #waiting: Publish[] = [];
  /** The limit that the broker has told; until then the one that every broker has. */
  #batchSize: number;
  #learned = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#batchSize = settings.limits.batchSize;
    this.#socket = settings.publishOver === 'websocket' ? new PublishSocket(settings) : undefined;
  }

  publish(body: EventBody): Promise<TriggerAnswer> {
    const published = new Promise<TriggerAnswer>((resolve, reject) => {
      const deadline = performance.now() + this.#settings.timeout;
      const publish = { body, deadline, resolve, reject };
      if (!this.#settings.coalesce) void this.#sendSingle(publish);
      else if (this.#waiting.push(publish) === 1) setImmediate(() => this.#flush());
    });
    if (!this.#socket) return published;
    const end = () => void this.#unanswered.delete(published);
    this.#unanswered.add(published);
    published.then(end, end);
    return published;
  }

  /** Publishes events in their order, or none of them. */
  async publishBatch(batch: readonly BatchItem[]): Promise<BatchAnswer> {
    const deadline = performance.now() + this.#settings.timeout;
    if (this.#socket) {
      const attributes = await this.#socket.send(batch, deadline);
      return batch.some(({ info }) => info !== undefined) ? { batch: attributes } : {};
    }
    const call = { method: 'POST', path: '/batch_events', body: { batch }, isRepeatable: true } as const;
    const { json } = await exchange(this.#settings, { ...call, deadline });
    return json as BatchAnswer;
  }

  async close(): Promise<void> {
    while (this.#unanswered.size > 0) await Promise.allSettled(this.#unanswered);
    await this.#socket?.close();
  }

  #flush(): void {
    const publishes = this.#waiting;
    this.#waiting = [];
    void this.#sendAll(batchesOf(publishes, this.#batchSize));
  }

  /**
   * Sends batches at once, except that a batch waits for the earlier ones that have a channel in common with it. Resolves
   * when each publish has its answer or error.
   */
  async #sendAll(batches: readonly (readonly Publish[])[]): Promise<void> {
    const last = new Map<string, Promise<void>>();
    for (const batch of batches) {
      const channels = new Set(batch.flatMap(({ body }) => body.channels));
      const earlier = new Set([...channels].flatMap((channel) => last.get(channel) ?? []));
      const sent =
        earlier.size === 0 ? this.#send(batch) : Promise.all(earlier).then(() => this.#send(batch));
      for (const channel of channels) last.set(channel, sent);
    }
    await Promise.all(last.values());
  }

  /** Never rejects. */
  #send(batch: readonly Publish[]): Promise<void> {
    return batch.length === 1 ? this.#sendSingle(batch[0]!) : this.#sendBatch(batch);
  }

  async #sendSingle(publish: Publish): Promise<void> {
    const { body, deadline, resolve, reject } = publish;
    try {
      // A frame names one channel for each event.
      if (this.#socket && body.channels.length === 1) {
        return answer([publish], await this.#socket.send([itemOf(body)], deadline));
      }
      const { json } = await exchange(this.#settings, {
        method: 'POST',
        path: '/events',
        body,
        deadline,
        isRepeatable: true,
      });
      resolve(json as TriggerAnswer);
    } catch (error) {
      reject(error);
    }
  }

  async #sendBatch(batch: readonly Publish[]): Promise<void> {
    const items = batch.map(({ body }) => itemOf(body));
    const { deadline } = batch[0]!;
    try {
      answer(batch, await (this.#socket?.send(items, deadline) ?? this.#request(items, deadline)));
    } catch (error) {
      const mayConcernOne = error instanceof RequestError && REFUSED_FOR_ONE.has(error.status ?? 0);
      if (mayConcernOne) await this.#sendAll(batch.map((publish) => [publish]));
      else for (const { reject } of batch) reject(error);
    }
  }

  async #request(items: readonly BatchItem[], deadline: number): Promise<readonly ChannelAttributes[]> {
    const received = await exchange(this.#settings, {
      method: 'POST',
      path: '/batch_events',
      body: { batch: items },
      isRepeatable: true,
      deadline,
      ...(this.#learned && { headers: { [BATCH_SIZE]: String(this.#batchSize) } }),
    });
    this.#learn(received);
    const { batch = [] } = received.json as Partial<BatchAnswer>;
    return batch;
  }

  #learn({ headers }: Answer): void {
    const size = Number(headers.get(BATCH_SIZE) ?? 0);
    if (!Number.isInteger(size) || size < 1) return;
    this.#batchSize = Math.min(size, MAX_BATCH_SIZE);
    this.#learned = true;
  }
}

/** Tells each caller what became of their event. */
function answer(publishes: readonly Publish[], attributes: readonly ChannelAttributes[]): void {
  publishes.forEach(({ body: { channels, info }, resolve }, index) => {
    resolve(info === undefined ? {} : { channels: { [channels[0]!]: attributes[index] ?? {} } });
  });
}

/** Divides publishes into batches. An event for several channels stays alone: it is one event for the broker, too. */
function batchesOf(publishes: readonly Publish[], batchSize: number): Publish[][] {
  const batches: Publish[][] = [];
  let room = 0;
  let characters = 0;
  for (const publish of publishes) {
    const { channels, data } = publish.body;
    characters += data.length;
    if (channels.length > 1) {
      batches.push([publish]);
      room = 0;
    } else if (room > 0 && characters <= MAX_BATCH_DATA) {
      batches.at(-1)!.push(publish);
      room -= 1;
    } else {
      batches.push([publish]);
      room = batchSize - 1;
      characters = data.length;
    }
  }
  return batches;
}

function itemOf({ channels, ...event }: EventBody): BatchItem {
  return { channel: channels[0]!, ...event };
}
