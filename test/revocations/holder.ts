/** A connection that asks for grants, and remembers what it was told. */
import { expect } from 'vitest';
import type { Credentials } from '../helpers/brokers/server.ts';
import type { Ticker } from '../helpers/clients/actor.ts';
import { open, type TestClient } from '../helpers/clients/client.ts';
import { granted } from '../helpers/clients/grants.ts';
import { eventually } from '../helpers/eventually.ts';
import type { ClusterNode } from './cluster.ts';

/** A grant that was asked for. Times without a unit are those of the ticker. */
export interface Ask {
  readonly at: number;
  readonly channel: string;
  readonly userId: string;
  readonly grantId: string;
  readonly key: string;
  readonly socketId: string;
  readonly openedAt: number;
  /** Unix seconds. */
  readonly iat?: number;
  readonly exp?: number;
}

/** What a connection was told. */
export type Told =
  | {
      readonly at: number;
      readonly kind: 'event';
      readonly channel: string;
      readonly id: string;
      /** Whether it had been told that it is in the channel, and not since that it is not. */
      readonly isInside: boolean;
    }
  | { readonly at: number; readonly kind: 'refused'; readonly channel: string; readonly code: string }
  | { readonly at: number; readonly kind: 'closed'; readonly code: number };

/** One connection of one user. */
export class Holder {
  readonly asks: Ask[] = [];
  readonly told: Told[] = [];
  /** The channels that it is in, as far as it was told. */
  readonly inside = new Set<string>();
  /** Channels that it was in when it was refused: a client that does not understand renewal is not told whether it still is. */
  readonly #perhapsInside = new Set<string>();
  isOpen = true;
  readonly #client: TestClient;
  readonly #ticker: Ticker;
  readonly #openedAt: number;
  #pongs = 0;

  private constructor(
    client: TestClient,
    readonly node: ClusterNode,
    readonly userId: string,
    ticker: Ticker,
  ) {
    this.#client = client;
    this.#ticker = ticker;
    this.#openedAt = ticker.next();
    client.socket.on('message', (data) => this.#receive(data.toString()));
    client.socket.on('close', (code) => {
      if (!this.isOpen) return;
      this.isOpen = false;
      this.inside.clear();
      this.told.push({ at: ticker.next(), kind: 'closed', code });
    });
  }

  static async connect(node: ClusterNode, app: Credentials, userId: string, ticker: Ticker): Promise<Holder> {
    const client = open(node, `/app/${app.key}?protocol=7&client=test&version=1.0`);
    await client.established(15_000);
    return new Holder(client, node, userId, ticker);
  }

  get socketId(): string {
    return this.#client.socketId;
  }

  asksFor(channel: string): readonly Ask[] {
    return this.asks.filter((ask) => ask.channel === channel);
  }

  /** Asks to be let in, or for another grant, and waits for no answer. */
  ask(channel: string, signer: Credentials, grantId: string, times: Pick<Ask, 'iat' | 'exp'>): void {
    const { userId, socketId } = this;
    const openedAt = this.#openedAt;
    const { key } = signer;
    this.asks.push({ at: this.#ticker.next(), channel, userId, grantId, key, socketId, openedAt, ...times });
    this.#client.credentials = signer;
    const member = channel.startsWith('presence-') ? { user_id: userId } : {};
    this.#client.askFor(channel, granted({ id: grantId, user: userId, ...times }, member));
  }

  /** Closes it, and is told nothing any more. */
  close(): void {
    this.isOpen = false;
    this.inside.clear();
    this.#client.close();
  }

  /** Waits until the broker has sent all that it had for this connection, or has closed it. */
  async roundTrip(): Promise<void> {
    const before = this.#pongs;
    if (this.isOpen) this.#client.send({ event: 'pusher:ping', data: {} });
    await eventually(() => expect(this.#pongs > before || !this.isOpen).toBe(true));
  }

  has(id: string): boolean {
    return this.told.some((each) => each.kind === 'event' && each.id === id);
  }

  #receive(frame: string): void {
    if (!this.isOpen) return;
    const { event, channel, data } = JSON.parse(frame);
    const at = this.#ticker.next();
    if (event === 'pusher:pong') this.#pongs += 1;
    else if (event === 'pusher_internal:subscription_succeeded') this.inside.add(channel);
    else if (event === 'pusher:subscription_error') {
      const { code, renewal } = JSON.parse(data);
      this.told.push({ at, kind: 'refused', channel, code });
      if (!renewal && this.inside.delete(channel)) this.#perhapsInside.add(channel);
    } else if (event === 'e') {
      const isInside = this.inside.has(channel) || this.#perhapsInside.has(channel);
      this.told.push({ at, kind: 'event', channel, id: data, isInside });
    }
  }
}
