/** Whatever happens in whichever order on three nodes: what was taken back gets nothing, and nobody else is touched. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { Ticker } from '../helpers/clients/actor.ts';
import { eventually } from '../helpers/eventually.ts';
import { numRuns, PROPERTY_TIMEOUT_MS } from '../helpers/property.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { Cluster } from './cluster.ts';
import { type Command, KINDS, NODES, schedule, USERS } from './commands.ts';
import { Holder } from './holder.ts';
import { judge, type Order, type Published, takesBack } from './verdict.ts';

/** Milliseconds after which no further run begins, so that the ordinary suite takes about as long on every machine. */
const BUDGET_MS = 15_000 * numRuns(1);

/** One run: connections that ask and are taken from, without waiting for what comes of it. */
class Schedule {
  readonly #ticker: Ticker;
  readonly #cluster: Cluster;
  readonly #run: number;
  readonly #channels: readonly string[];
  readonly #places: Holder[] = [];
  readonly #holders: Holder[] = [];
  readonly #orders: Order[];
  readonly #blocks: { readonly id: string; readonly order: Order }[] = [];
  readonly #published: Published[] = [];
  #underWay: Promise<void>[] = [];

  /**
   * @param run sets its users and channels apart from those of other runs
   * @param orders those of the runs before, of which some concern keys, and so grants of this run from the same second
   */
  constructor(cluster: Cluster, run: number, ticker: Ticker, orders: Order[]) {
    this.#cluster = cluster;
    this.#ticker = ticker;
    this.#orders = orders;
    this.#run = run;
    this.#channels = [`presence-${run}-room`, `private-${run}-team`];
  }

  async run(commands: readonly Command[]): Promise<void> {
    try {
      for (const place of USERS.keys()) {
        await this.#connect(place, place % NODES);
        this.#subscribe({ who: place, kind: place % KINDS, isDated: false, isShort: false });
      }
      for (const each of commands) await this.#do(each);
      await this.#settle();
    } finally {
      this.#cluster.resumeAll();
      await Promise.allSettled(this.#underWay);
      for (const holder of this.#holders) holder.close();
    }
    for (const holder of this.#holders) judge(holder, this.#orders, this.#published);
  }

  async #connect(place: number, nodeAt: number): Promise<void> {
    this.#places[place]?.close();
    const userId = `${USERS[place]}-${this.#run}`;
    const { app } = this.#cluster;
    const holder = await Holder.connect(this.#cluster.running(nodeAt), app, userId, this.#ticker);
    this.#places[place] = holder;
    this.#holders.push(holder);
  }

  async #do(each: Command): Promise<void> {
    const cluster = this.#cluster;
    switch (each.do) {
      case 'subscribe':
        return this.#subscribe(each);
      case 'reconnect':
        return this.#connect(each.who, each.node);
      case 'publish':
        this.#publish(this.#channels[each.kind]!, each.node);
        return;
      case 'revoke':
        return this.#revoke(each);
      case 'lift':
        return this.#lift(each.node);
      case 'pause':
        await this.#quiet();
        if (cluster.nodes.every(({ isPaused }) => !isPaused)) cluster.pause(cluster.nodes[each.node]!);
        return;
      case 'die':
        await this.#quiet();
        cluster.resumeAll();
        return cluster.replace(cluster.nodes[each.node]!);
      case 'changeKey':
        return this.#changeKey(each.state);
    }
  }

  #subscribe({
    who: place,
    kind: at,
    isDated,
    isShort,
  }: Omit<Extract<Command, { do: 'subscribe' }>, 'do'>): void {
    const holder = this.#places[place]!;
    if (!holder.isOpen) return;
    const now = Math.floor(Date.now() / 1000);
    const times = { ...(isDated && { iat: now }), ...(isShort && { exp: now + 2 }) };
    const id = `g-${this.#run}-${this.#ticker.next()}`;
    holder.ask(this.#channels[at]!, this.#cluster.signer, id, times);
  }

  /** Publishes one event, and does not wait for it. */
  #publish(channel: string, at: number): string {
    const id = `${this.#published.length}`;
    this.#published.push({ id, channel, began: this.#ticker.next() });
    const to = this.#cluster.running(at);
    this.#underWay.push(publish(to, channel, 'e', id, {}, this.#cluster.app));
    return id;
  }

  async #quiet(): Promise<void> {
    await Promise.all(this.#underWay);
    this.#underWay = [];
  }

  async #revoke(each: Extract<Command, { do: 'revoke' }>): Promise<void> {
    const target = this.#targetOf(each);
    if (!target) return;
    const { action, node: at, excepts } = each;
    const blocks = each.blocks && action !== 'reconnect' && ['user', 'channel', 'prefix'].includes(each.aim);
    const except = excepts ? this.#places[each.who]!.socketId : undefined;
    const order = this.#begin({ target, action, blocks, except });
    const body = { target, action, ...(blocks && { block_seconds: 600 }), except_socket_id: except };
    const to = this.#cluster.running(at);
    const answer = await request(to, 'POST', '/revocations', { body, app: this.#cluster.app });
    expect([200, 202], JSON.stringify(answer.body)).toContain(answer.status);
    order.done = this.#ticker.next();
    if (blocks) this.#blocks.push({ id: (answer.body as { id: string }).id, order });
    for (const channel of this.#channels) this.#publish(channel, at + 1);
    await this.#quiet();
    this.#cluster.resumeAll();
  }

  #targetOf({ aim, who: place, kind: at }: Extract<Command, { do: 'revoke' }>): Order['target'] | undefined {
    const holder = this.#places[place]!;
    const channel = this.#channels[at]!;
    const grant = holder.asksFor(channel).at(-1);
    switch (aim) {
      case 'user':
        return { user_id: holder.userId };
      case 'socket':
        return { socket_id: holder.socketId };
      case 'channel':
        return { channel };
      case 'prefix':
        return { channel_prefix: channel.slice(0, -4) };
      case 'key':
        return { key: this.#cluster.signer.key };
      case 'grant':
        return grant && { grant_id: grant.grantId };
    }
  }

  #begin(parts: Pick<Order, 'target' | 'action' | 'blocks' | 'except'>): Order {
    const began = this.#ticker.next();
    const order = { ...parts, began, beganMs: Date.now(), done: Infinity, isLifted: false };
    this.#orders.push(order);
    return order;
  }

  async #lift(at: number): Promise<void> {
    const block = this.#blocks.pop();
    if (!block) return;
    block.order.isLifted = true;
    const path = `/revocations/${block.id}`;
    const to = this.#cluster.running(at);
    expect(await request(to, 'DELETE', path, { app: this.#cluster.app })).toMatchObject({ status: 200 });
  }

  async #changeKey(state: 'accepted' | 'revoked'): Promise<void> {
    this.#cluster.resumeAll();
    const { key } = this.#cluster.signer;
    if (state === 'accepted') return this.#cluster.changeKey(state);
    const order = this.#begin({ target: { key }, action: 'key', blocks: false, except: undefined });
    await this.#cluster.changeKey(state);
    order.done = this.#ticker.next();
  }

  /** Waits until all that must end has ended, and publishes a last event in each channel, which whoever is inside gets. */
  async #settle(): Promise<void> {
    await this.#quiet();
    this.#cluster.resumeAll();
    for (const holder of this.#holders) {
      for (const channel of this.#channels) {
        const isOver = holder
          .asksFor(channel)
          .every((ask) => ask.exp !== undefined || this.#orders.some((order) => takesBack(order, ask)));
        if (isOver) await eventually(() => expect([...holder.inside]).not.toContain(channel));
      }
    }
    for (const channel of this.#channels) {
      const last: string[] = [];
      // Whoever is let in only now has missed the event before, so there is another one.
      await eventually(async () => {
        last.push(this.#publish(channel, 0));
        await this.#quiet();
        for (const holder of this.#holders) await holder.roundTrip();
        for (const holder of this.#holders)
          expect(!holder.inside.has(channel) || last.some((id) => holder.has(id))).toBe(true);
      });
    }
    for (const holder of this.#holders) await holder.roundTrip();
  }
}

describe.skipIf(!hasRedis)('any schedule on three nodes', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  test(
    'delivers nothing to what was taken back, and takes nothing from anybody else',
    async () => {
      const cluster = await Cluster.start(redis.url, 'schedules');
      const endsAt = performance.now() + BUDGET_MS;
      const ticker = new Ticker();
      const orders: Order[] = [];
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(schedule, async (commands) => {
          if (performance.now() > endsAt) return;
          runs += 1;
          await new Schedule(cluster, runs, ticker, orders).run(commands);
        }),
        // A schedule that fails is not made shorter: each try would cost seconds.
        { numRuns: numRuns(6), endOnFailure: true },
      );
      expect(runs).toBeGreaterThan(0);
    },
    PROPERTY_TIMEOUT_MS,
  );
});
