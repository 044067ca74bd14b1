import { type Adapter, type Broker, MemoryAdapter } from '@countersign/server';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { Actor, Ticker } from '../helpers/clients/actor.ts';
import { RosterView } from '../helpers/clients/roster-view.ts';
import { checkDeliveries, type Delivered, type Published } from '../helpers/deliveries.ts';
import { eventually } from '../helpers/eventually.ts';
import { frames } from '../helpers/frames.ts';
import { numRuns, PROPERTY_TIMEOUT_MS } from '../helpers/property.ts';

const USERS = ['ann', 'ann', 'bob', 'bob', 'cal'] as const;
const CHANNELS = ['news', 'cache-news', 'presence-room'] as const;

type Command =
  | { readonly do: 'connect' | 'close' | 'clientEvent'; readonly who: number }
  | { readonly do: 'subscribe' | 'unsubscribe'; readonly who: number; readonly kind: number }
  | { readonly do: 'publish'; readonly kind: number; readonly except: number | undefined }
  | { readonly do: 'wait'; readonly turns: number };

const who = fc.nat(USERS.length - 1);
const kind = fc.nat(CHANNELS.length - 1);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close'), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('connect'), who }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('clientEvent'), who }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('subscribe'), who, kind }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('unsubscribe'), who, kind }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('publish'), kind, except: fc.option(who, { nil: undefined }) }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('wait'), turns: fc.integer({ min: 1, max: 20 }) }) },
);

/** One run: actors who carry out commands without waiting for what comes of them, and one who watches. */
class Schedule {
  readonly #ticker = new Ticker();
  readonly #server: Broker;
  readonly #adapter: Adapter;
  readonly #channels: readonly string[];
  readonly #published: Published[] = [];
  readonly #underWay: Promise<void>[] = [];
  /** Each in his place, and those who were there before. */
  readonly #places: Actor[] = [];
  readonly #actors = new Set<Actor>();
  #witness!: Actor;

  /** @param id sets the channels of this run apart from those of others */
  constructor(server: Broker, adapter: Adapter, id: number) {
    this.#server = server;
    this.#adapter = adapter;
    this.#channels = CHANNELS.map((name) => `${name}-${id}`);
  }

  async run(commands: readonly Command[]): Promise<void> {
    this.#witness = await Actor.connect(this.#server, 'witness', this.#ticker);
    for (const channel of this.#channels) this.#witness.subscribe(channel);
    await this.#witness.answered();
    for (const place of USERS.keys()) await this.#connect(place);
    for (const command of commands) await this.#do(command);
    await this.#settle();
    await this.#check();
  }

  end(): void {
    for (const actor of [this.#witness, ...this.#actors]) if (actor.isOpen) actor.close();
  }

  async #connect(place: number): Promise<void> {
    const actor = await Actor.connect(this.#server, USERS[place]!, this.#ticker);
    this.#places[place] = actor;
    this.#actors.add(actor);
  }

  async #do(command: Command): Promise<void> {
    if (command.do === 'wait') {
      for (let turn = 0; turn < command.turns; turn += 1) await new Promise((go) => setImmediate(go));
      return;
    }
    if (command.do === 'publish') {
      const except = command.except === undefined ? undefined : this.#places[command.except]!.socketId;
      const { id, channel } = this.#note(this.#channels[command.kind]!, except);
      const extra = except === undefined ? {} : { socket_id: except };
      this.#underWay.push(publish(this.#server, channel, 'e', id, extra));
      return;
    }
    const actor = this.#places[command.who]!;
    if (command.do === 'connect') return actor.isOpen ? undefined : this.#connect(command.who);
    if (!actor.isOpen) return;
    switch (command.do) {
      case 'close':
        return actor.close();
      case 'subscribe':
        return actor.subscribe(this.#channels[command.kind]!);
      case 'unsubscribe':
        return actor.unsubscribe(this.#channels[command.kind]!);
      case 'clientEvent': {
        const { id, channel } = this.#note(this.#channels[2]!, actor.socketId);
        return actor.trigger(channel, 'client-e', id);
      }
    }
  }

  #note(channel: string, except: string | undefined): Published {
    const published = { id: String(this.#published.length), channel, began: this.#ticker.next(), except };
    this.#published.push(published);
    return published;
  }

  /** Waits until everything that was asked for is done, and publishes a last event in each channel. */
  async #settle(): Promise<void> {
    await Promise.all(this.#underWay);
    const open = [...this.#actors].filter((actor) => actor.isOpen);
    for (const actor of open) await actor.roundTrip();
    for (const actor of open) await actor.answered();
    for (const channel of this.#channels) {
      const inside = [this.#witness, ...open].filter((actor) => actor.isSubscribed(channel));
      const { roster } = this.#adapter;
      // Those who have closed leave later.
      while ((await roster.counts(`${APP.id}:${channel}`)).subscriptions > inside.length) {
        await new Promise((go) => setImmediate(go));
      }
      const { id } = this.#note(channel, undefined);
      await publish(this.#server, channel, 'e', id);
      for (const actor of inside) await actor.received(frames.event('e', channel, id));
    }
    for (const actor of open) await actor.roundTrip();
  }

  async #check(): Promise<void> {
    const [, , room] = this.#channels;
    const delivered = this.#delivered();
    for (const actor of this.#actors) {
      for (const channel of this.#channels) {
        const all = delivered.filter((event) => event.channel === channel);
        checkDeliveries(actor, channel, all);
      }
    }
    const inside = [this.#witness, ...this.#actors].filter((actor) => actor.isSubscribed(room!));
    const users = [...new Set(inside.map(({ userId }) => userId))].sort();
    // A client that closed while its join was under way joins and leaves later than all others are answered.
    for (const actor of inside) {
      await eventually(() => {
        const view = new RosterView(room!);
        for (const frame of actor.frames) view.read(frame);
        expect(view.members, `the roster as ${actor.userId} sees it`).toEqual(users);
      });
    }
    await eventually(async () => {
      const { body } = await request(this.#server, 'GET', `/channels/${room}/users`);
      const ids = (body as { users: { id: string }[] }).users.map(({ id }) => id);
      expect(ids.sort()).toEqual(users);
    });
  }

  /** All events in the order in which they were delivered, as the witness received them. */
  #delivered(): Delivered[] {
    return this.#witness.moments.flatMap((moment) => {
      if (moment.kind !== 'received') return [];
      const { event, data } = JSON.parse(moment.frame);
      const published = event.startsWith('pusher') ? undefined : this.#published[Number(data)];
      return published ? [{ ...published, seen: moment.at }] : [];
    });
  }
}

describe.each<[string, (random: () => number) => Adapter]>([
  ['in memory', () => new MemoryAdapter()],
  ['behind random delays', (random) => new DelayedAdapter(new MemoryAdapter(), random)],
])('any schedule %s', (_, makeAdapter) => {
  test(
    'gives each subscriber exactly the events of his subscriptions, and everyone the same roster',
    async () => {
      let random = Math.random;
      const adapter = makeAdapter(() => random());
      const limits = { clientEventsPerSecond: 10_000, framesPerSecond: 10_000 };
      const server = await startServer({
        limits,
        app: { subscriptionCount: true, limits },
        parts: { adapter },
      });
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 60 }), fc.integer(), async (commands, seed) => {
          random = seeded(seed);
          runs += 1;
          const schedule = new Schedule(server, adapter, runs);
          try {
            await schedule.run(commands);
          } finally {
            schedule.end();
          }
        }),
        { numRuns: numRuns(150) },
      );
    },
    PROPERTY_TIMEOUT_MS,
  );
});

/** Numbers from 0 to 1 that look random and are the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
