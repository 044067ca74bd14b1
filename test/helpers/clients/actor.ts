import type { Broker } from '@countersign/server';
import { DEADLINE_MS } from '../deadline.ts';
import { connect, type TestClient } from './client.ts';

/** What happened to one actor, at a moment of the clock that all actors share. */
export type Moment =
  | {
      readonly at: number;
      readonly kind: 'asked';
      readonly what: 'subscribe' | 'unsubscribe';
      readonly channel: string;
    }
  | { readonly at: number; readonly kind: 'received'; readonly frame: string }
  | { readonly at: number; readonly kind: 'closed' };

/** Counts moments, so that it is known which of two came first. */
export class Ticker {
  #now = 0;

  next(): number {
    this.#now += 1;
    return this.#now;
  }
}

/** One connection that remembers all that it asked for and received, each with its moment. */
export class Actor {
  readonly moments: Moment[] = [];
  readonly #client: TestClient;
  readonly #ticker: Ticker;
  readonly #subscribed = new Set<string>();
  #isOpen = true;
  #look: () => void = () => {};

  private constructor(
    client: TestClient,
    readonly userId: string,
    ticker: Ticker,
  ) {
    this.#client = client;
    this.#ticker = ticker;
    client.socket.on('message', (data) => {
      this.moments.push({ at: ticker.next(), kind: 'received', frame: data.toString() });
      this.#look();
    });
  }

  static async connect(broker: Broker, userId: string, ticker: Ticker): Promise<Actor> {
    return new Actor(await connect(broker), userId, ticker);
  }

  get socketId(): string {
    return this.#client.socketId;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether the last that it asked for is to be in the channel. */
  isSubscribed(channel: string): boolean {
    return this.#isOpen && this.#subscribed.has(channel);
  }

  subscribe(channel: string): void {
    this.#ask('subscribe', channel);
    this.#subscribed.add(channel);
    this.#client.askFor(channel, channel.startsWith('presence-') ? { user_id: this.userId } : undefined);
  }

  unsubscribe(channel: string): void {
    this.#ask('unsubscribe', channel);
    this.#subscribed.delete(channel);
    this.#client.unsubscribe(channel);
  }

  trigger(channel: string, name: string, data: string): void {
    this.#client.trigger(channel, name, data);
  }

  close(): void {
    this.#isOpen = false;
    this.moments.push({ at: this.#ticker.next(), kind: 'closed' });
    this.#client.close();
  }

  get frames(): string[] {
    return this.moments.flatMap((moment) => (moment.kind === 'received' ? [moment.frame] : []));
  }

  /** Waits until every subscription that it asked for was answered. */
  async answered(): Promise<void> {
    const asked = this.moments.filter((m) => m.kind === 'asked' && m.what === 'subscribe').length;
    const isAnswer = (frame: string) => frame.includes('"pusher_internal:subscription_succeeded"');
    await this.#until(() => this.frames.filter(isAnswer).length === asked, 'its acknowledgements');
  }

  /** Waits until it has received a frame. */
  async received(frame: string): Promise<void> {
    await this.#until(() => this.frames.includes(frame), frame);
  }

  /** Waits until the broker has read all that was sent, and has sent all that it had for this connection. */
  async roundTrip(): Promise<void> {
    const pongs = () => this.frames.filter((frame) => frame.includes('"pusher:pong"')).length;
    const before = pongs();
    this.#client.send({ event: 'pusher:ping', data: {} });
    await this.#until(() => pongs() > before, 'a pong');
  }

  #ask(what: 'subscribe' | 'unsubscribe', channel: string): void {
    this.moments.push({ at: this.#ticker.next(), kind: 'asked', what, channel });
  }

  async #until(isDone: () => boolean, what: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const done = new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.userId} has not received ${what}`)), DEADLINE_MS);
      this.#look = () => {
        if (isDone()) resolve();
      };
    });
    this.#look();
    await done.finally(() => clearTimeout(timer));
  }
}
