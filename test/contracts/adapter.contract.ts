import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Adapter, EventMessage, Message, Seat } from '#server/adapter/adapter';
import { NO_JOURNAL } from '#server/adapter/journal';
import { NOTHING_DONE } from '#server/adapter/questions';
import type { Revocation } from '#server/adapter/revocations';
import { userTopicOf } from '#server/adapter/topic';

/** An adapter under test, with a clock that the test moves. */
export interface Subject {
  readonly adapter: Adapter;
  /** Moves the clock forward. */
  advance(milliseconds: number): void | Promise<void>;
}

const seat = (socketId: string): Seat => ({
  socketId,
  since: 0,
  client: 'test/1',
  address: '127.0.0.1',
});
const ann = { userId: 'ann', userInfo: '{"name":"Ann"}' };
const bob = { userId: 'bob' };
const event: EventMessage = { kind: 'event', topic: 'app:cache-a', name: 'e', data: '1' };

/** The promises of every adapter. */
export function adapterContract(name: string, make: () => Subject | Promise<Subject>): void {
  describe(`${name} keeps the contract of an adapter`, () => {
    let subject: Subject;
    let received: Message[];
    let arrived: () => void;

    /** When the test began, by the clock of revocations. */
    let present: number;
    beforeEach(async () => {
      subject = await make();
      present = await subject.adapter.revocations.now();
      // Messages of an earlier test must not arrive here.
      const inbox: Message[] = [];
      received = inbox;
      arrived = () => {};
      subject.adapter.attach(
        {
          deliver: (message) => {
            inbox.push(message);
            arrived();
          },
          obey: () => {},
          missed: async () => {},
          answer: async () => NOTHING_DONE,
          proveAgain: () => {},
          lapsed: () => {},
        },
        NO_JOURNAL,
      );
    });
    afterEach(() => subject.adapter.close());

    /** Waits until a marker that is published now, and everything before it, has arrived. */
    async function settled(topic: EventMessage['topic']): Promise<Message[]> {
      const marker = `marker-${Math.random()}`;
      const isHere = () => received.some((m) => m.kind === 'event' && m.name === marker);
      await subject.adapter.bus.listen(topic);
      await subject.adapter.bus.publish({ kind: 'event', topic, name: marker, data: '' });
      while (!isHere()) {
        await new Promise<void>((resolve) => {
          arrived = resolve;
        });
      }
      return received.filter((m) => !(m.kind === 'event' && m.name.startsWith('marker-')));
    }

    test('the seats of a topic come in the order in which they were taken', async () => {
      const { roster } = subject.adapter;
      const ids = Array.from({ length: 40 }, (_, i) => `${(i * 17) % 40}.1`);
      for (const id of ids) await roster.join('app:a', seat(id));
      await roster.leave('app:a', ids[3]!);
      await roster.join('app:a', seat(ids[0]!));
      await roster.join('app:a', seat(ids[3]!));
      const inOrder = [...ids.filter((id) => id !== ids[3]), ids[3]];
      expect((await roster.seats('app:a')).map(({ socketId }) => socketId)).toEqual(inOrder);
      expect(await roster.seats('app:b')).toEqual([]);
    });

    test('the first join occupies a channel, and the last leave vacates it', async () => {
      const { roster } = subject.adapter;
      expect(await roster.join('app:a', seat('1.1'))).toMatchObject({ occupied: true, subscriptions: 1 });
      expect(await roster.join('app:a', seat('2.2'))).toMatchObject({ occupied: false, subscriptions: 2 });
      expect(await roster.leave('app:a', '1.1')).toMatchObject({ vacated: false, subscriptions: 1 });
      expect(await roster.leave('app:a', '2.2')).toMatchObject({ vacated: true, subscriptions: 0 });
      expect(await roster.leave('app:a', '2.2')).toBeUndefined();
      expect(await roster.counts('app:a')).toMatchObject({ subscriptions: 0, members: 0 });
    });

    test('a user is one member from their first seat to their last', async () => {
      const { roster } = subject.adapter;
      const topic = 'app:presence-a';
      await subject.adapter.bus.listen(topic);
      expect(await roster.join(topic, seat('1.1'), { member: ann })).toMatchObject({ memberAdded: true });
      const again = await roster.join(topic, seat('2.2'), {
        member: { userId: 'ann', userInfo: '{"name":"A."}' },
      });
      expect(again).toMatchObject({ memberAdded: false, members: [ann], subscriptions: 2 });
      expect(await roster.leave(topic, '1.1')).toMatchObject({ memberRemoved: undefined });
      expect(await roster.leave(topic, '2.2')).toMatchObject({ memberRemoved: 'ann', vacated: true });
      expect(await settled(topic)).toMatchObject([
        { kind: 'memberAdded', member: ann },
        { kind: 'memberRemoved', userId: 'ann' },
      ]);
    });

    test('to join again changes nothing', async () => {
      const { roster } = subject.adapter;
      const first = await roster.join('app:presence-a', seat('1.1'), { member: ann });
      const second = await roster.join('app:presence-a', seat('1.1'), { member: bob });
      expect(second).toMatchObject({ occupied: false, memberAdded: false, members: [ann], subscriptions: 1 });
      expect(first).toMatchObject({ version: typeof second !== 'string' && second.version });
    });

    test('a full channel refuses new members, and admits present ones', async () => {
      const { roster } = subject.adapter;
      const join = (socketId: string, member: typeof bob) =>
        roster.join('app:presence-a', seat(socketId), { member, maxMembers: 1 });
      await join('1.1', ann);
      expect(await join('2.2', bob)).toBe('full');
      expect(await join('3.3', ann)).toMatchObject({ subscriptions: 2 });
      expect(await roster.counts('app:presence-a')).toMatchObject({ subscriptions: 2, members: 1 });
    });

    test('each of a hundred racing members counts once', async () => {
      const { roster } = subject.adapter;
      const topic = 'app:presence-a';
      const ids = Array.from({ length: 100 }, (_, i) => String(i));
      const joined = await Promise.all(
        ids.map((id) => roster.join(topic, seat(`${id}.1`), { member: { userId: id } })),
      );
      const versions = joined.map((j) => (typeof j === 'string' ? -1 : j.version));
      expect(new Set(versions).size).toBe(100);
      expect(joined.filter((j) => typeof j !== 'string' && j.occupied)).toHaveLength(1);
      expect((await roster.snapshot(topic)).members.map((m) => m.userId).sort()).toEqual(ids.sort());
    });

    test('a snapshot and the messages above its version are the whole state', async () => {
      const { roster, bus } = subject.adapter;
      const topic = 'app:presence-a';
      await bus.listen(topic);
      const steps = Array.from({ length: 50 }, (_, i) => {
        const member = { userId: String(i % 10) };
        return i % 3 === 2
          ? roster.leave(topic, `${i - 2}.1`)
          : roster.join(topic, seat(`${i}.1`), { member });
      });
      const late = roster.join(topic, seat('99.1'), { member: bob });
      const after = [roster.leave(topic, '1.1'), roster.join(topic, seat('100.1'), { member: ann })];
      const snapshot = await late;
      await Promise.all([...steps, ...after]);
      if (typeof snapshot === 'string') throw new Error('full');
      const members = new Set(snapshot.members?.map((m) => m.userId));
      for (const message of await settled(topic)) {
        if (message.kind !== 'memberAdded' && message.kind !== 'memberRemoved') continue;
        if (message.version <= snapshot.version) continue;
        if (message.kind === 'memberAdded') {
          expect(members).not.toContain(message.member.userId);
          members.add(message.member.userId);
        } else {
          expect(members).toContain(message.userId);
          members.delete(message.userId);
        }
      }
      expect([...members].sort()).toEqual((await roster.snapshot(topic)).members.map((m) => m.userId).sort());
    });

    test('versions grow even after a topic was forgotten', async () => {
      const { roster } = subject.adapter;
      const first = await roster.join('app:a', seat('1.1'));
      const left = await roster.leave('app:a', '1.1');
      const second = await roster.join('app:a', seat('1.1'));
      if (typeof first === 'string' || typeof second === 'string' || !left) throw new Error('unexpected');
      expect(left.version).toBeGreaterThan(first.version);
      expect(second.version).toBeGreaterThan(left.version);
    });

    test('events of a topic arrive once and in order', async () => {
      const names = Array.from({ length: 50 }, (_, i) => `e${i}`);
      await subject.adapter.bus.listen('app:a');
      await Promise.all(names.map((name) => subject.adapter.bus.publish({ ...event, topic: 'app:a', name })));
      expect((await settled('app:a')).map((m) => m.kind === 'event' && m.name)).toEqual(names);
    });

    test('names and data may contain any text', async () => {
      const odd = {
        ...event,
        topic: 'app:a' as const,
        name: '__proto__',
        data: '\u0000"\ud83d\ude80\\u2028',
        userId: 'constructor',
        except: '1.1',
      };
      await subject.adapter.bus.listen('app:a');
      await subject.adapter.bus.publish(odd);
      expect(await settled('app:a')).toMatchObject([odd]);
      await subject.adapter.roster.join('app:presence-a', seat('1.1'), { member: { userId: '__proto__' } });
      expect(await subject.adapter.roster.snapshot('app:presence-a')).toMatchObject({
        members: [{ userId: '__proto__' }],
      });
    });

    test('a kept event is the last one until it expires', async () => {
      const { bus, channelCache, roster } = subject.adapter;
      await bus.publish({ ...event, data: '1' }, { lastSeconds: 10 });
      await bus.publish({ ...event, data: '2' }, { lastSeconds: 10 });
      await bus.publish({ ...event, data: '3' });
      expect(await channelCache.last(event.topic)).toMatchObject({ name: 'e', data: '2', ttlSeconds: 10 });
      expect(await roster.join(event.topic, seat('1.1'))).toMatchObject({ last: { data: '2' } });
      await subject.advance(7000);
      // What a busy machine takes counts, too, where the time is that of Redis.
      expect([1, 2, 3]).toContain((await channelCache.last(event.topic))?.ttlSeconds);
      await subject.advance(3001);
      expect(await channelCache.last(event.topic)).toBeUndefined();
      expect(await roster.join(event.topic, seat('2.2'))).toMatchObject({ last: undefined });
    });

    test('a kept event outlives the last subscriber', async () => {
      const { bus, channelCache, roster } = subject.adapter;
      await roster.join(event.topic, seat('1.1'));
      await bus.publish(event, { lastSeconds: 10 });
      await roster.leave(event.topic, '1.1');
      expect(await channelCache.last(event.topic)).toMatchObject({ data: '1' });
      expect(await roster.channels('app', '')).toEqual(new Map());
    });

    test('channels are listed by app and prefix while they have a subscriber', async () => {
      const { roster } = subject.adapter;
      await roster.join('app:a', seat('1.1'));
      await roster.join('app:presence-b', seat('1.1'), { member: ann });
      await roster.join('other:a', seat('2.2'));
      expect(Object.fromEntries(await roster.channels('app', ''))).toMatchObject({
        a: { subscriptions: 1, members: 0 },
        'presence-b': { subscriptions: 1, members: 1 },
      });
      expect([...(await roster.channels('app', 'presence-')).keys()]).toEqual(['presence-b']);
    });

    test('a user is online from their first connection to their last', async () => {
      const { roster, bus } = subject.adapter;
      const topic = userTopicOf('app', 'ann');
      await bus.listen(topic);
      await roster.join(topic, seat('1.1'));
      await roster.join(topic, seat('2.2'));
      await roster.leave(topic, '1.1');
      await roster.leave(topic, '2.2');
      expect(await settled(topic)).toMatchObject([{ kind: 'userOnline' }, { kind: 'userOffline' }]);
    });

    test('signed-in users are listed in pages, with their connections and channels', async () => {
      const { roster } = subject.adapter;
      for (const id of ['cid', 'ann', 'bob'])
        await roster.join(userTopicOf('app', id), seat(`1.${id.length}`));
      await roster.join(userTopicOf('other', 'dan'), seat('4.4'));
      await roster.join('app:a', seat('1.3'));
      expect(await roster.users('app', '', 2)).toEqual(['ann', 'bob']);
      expect(await roster.users('app', 'bob', 2)).toEqual(['cid']);
      expect(await roster.connections('app', 'ann')).toMatchObject([
        { seat: { socketId: '1.3', client: 'test/1' }, channels: ['a'] },
      ]);
      expect(await roster.connections('app', 'nobody')).toEqual([]);
    });

    test('a snapshot equals the answer to a join', async () => {
      const { roster, bus } = subject.adapter;
      const topic = 'app:presence-cache-a';
      expect(await roster.snapshot(topic)).toMatchObject({ subscriptions: 0, members: [], last: undefined });
      await bus.listen(topic);
      await bus.publish({ ...event, topic }, { lastSeconds: 60 });
      await roster.join(topic, seat('1.1'), { member: ann });
      const joined = await roster.join(topic, seat('2.2'), { member: bob });
      if (typeof joined === 'string') throw new Error(joined);
      const snapshot = await roster.snapshot(topic);
      const sorted = (members: readonly { userId: string }[]) => members.map(({ userId }) => userId).sort();
      expect(snapshot).toMatchObject({
        version: joined.version,
        subscriptions: 2,
        last: { name: 'e', data: '1' },
      });
      expect(sorted(snapshot.members)).toEqual(sorted(joined.members));
      await roster.leave(topic, '1.1');
      expect((await roster.snapshot(topic)).version).toBeGreaterThan(joined.version);
    });

    const revocation = (id: string, seconds: number, reason = 'rude', appId = 'app'): Revocation => ({
      id,
      appId,
      target: { userId: '__proto__' },
      action: 'end',
      reason,
      at: present,
      blockedUntil: present + seconds * 1000,
    });

    /** The ids and reasons of all that are kept, from all pages. */
    async function keptRevocations(): Promise<readonly string[]> {
      const { revocations } = subject.adapter;
      const kept: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await revocations.page(cursor);
        kept.push(...page.revocations.map(({ appId, id, reason }) => `${appId} ${id} ${reason}`));
        cursor = page.cursor;
      } while (cursor !== undefined);
      return kept.sort();
    }

    test('a revocation is kept until it is over, replaced or forgotten', async () => {
      const { revocations } = subject.adapter;
      const room = { count: 10, bytes: 10_000 };
      await revocations.keep(revocation('rev-1', 10), room);
      await revocations.keep(revocation('rev-2', 20), room);
      await revocations.keep(revocation('rev-2', 20, 'again'), room);
      await revocations.keep(revocation('rev-1', 20, 'rude', 'other'), room);
      const page = await revocations.page();
      expect(page.revocations).toContainEqual(revocation('rev-1', 10));
      expect(await keptRevocations()).toEqual(['app rev-1 rude', 'app rev-2 again', 'other rev-1 rude']);
      await revocations.forget('other', 'rev-1');
      await subject.advance(10_000);
      expect(await keptRevocations()).toEqual(['app rev-2 again']);
    });

    test('revocations are bounded in number and bytes, and those that are over take no room', async () => {
      const { revocations } = subject.adapter;
      const bounds = { count: 2, bytes: 1000 };
      expect(await revocations.keep(revocation('ann', 5), bounds)).toBe(true);
      expect(await revocations.keep(revocation('bob', 10), bounds)).toBe(true);
      expect(await revocations.keep(revocation('eve', 10), bounds)).toBe(false);
      expect(await revocations.keep(revocation('eve', 10, 'rude', 'other'), bounds)).toBe(true);
      expect(await revocations.keep(revocation('bob', 20, 'again'), bounds)).toBe(true);
      expect(await keptRevocations()).toEqual(['app ann rude', 'app bob again', 'other eve rude']);
      await subject.advance(6000);
      expect(await revocations.keep(revocation('eve', 20), bounds)).toBe(true);
      expect(await revocations.keep(revocation('bob', 20, 'x'.repeat(1000)), bounds)).toBe(false);
      await revocations.forget('app', 'bob');
      expect(await revocations.keep(revocation('cid', 20), bounds)).toBe(true);
      expect(await keptRevocations()).toEqual(['app cid rude', 'app eve rude', 'other eve rude']);
    });

    test('a question is answered by the listener, and its answers are added up', async () => {
      const { nodes } = subject.adapter;
      const question = { kind: 'revoke', revocation: revocation('rev-1', 10) } as const;
      expect(await nodes.ask(question)).toMatchObject({ total: 1, pending: [], subscriptions: 0, held: [] });
    });

    test('of each use of a key the later time is remembered, for each app', async () => {
      const { keyUses } = subject.adapter;
      const at = Math.floor(present / 1000);
      await Promise.all([
        keyUses.add('app', { a: { publish: at, read: at - 5 } }),
        keyUses.add('app', { a: { publish: at - 1, read: at - 4 }, 'b c': { sign_in: at } }),
        keyUses.add('other', { a: { subscribe: at } }),
      ]);
      expect(await keyUses.of('app')).toEqual({ a: { publish: at, read: at - 4 }, 'b c': { sign_in: at } });
      expect(await keyUses.of('other')).toEqual({ a: { subscribe: at } });
      expect(await keyUses.of('nobody')).toEqual({});
    });

    test('a nonce is spent once for each app, until its request was refused', async () => {
      const { nonces } = subject.adapter;
      const spend = (appId: string, nonce: string) => nonces.spend(appId, nonce, 60_000, 10);
      const outcomes = await Promise.all(Array.from({ length: 3 }, () => spend('app', 'once-only')));
      expect(outcomes.sort()).toEqual(['reused', 'reused', 'spent']);
      expect(await spend('other', 'once-only')).toBe('spent');
      expect(await spend('app', '__proto__')).toBe('spent');
      await nonces.release('app', 'once-only');
      expect(await spend('app', 'once-only')).toBe('spent');
      expect(await spend('app', 'once-only')).toBe('reused');
    });

    test('nonces are bounded in number, and those that have ended take no room', async () => {
      const { nonces } = subject.adapter;
      const spend = (nonce: string, appId = 'app') => nonces.spend(appId, nonce, 1000, 2);
      expect([await spend('nonce-1'), await spend('nonce-2')]).toEqual(['spent', 'spent']);
      expect([await spend('nonce-3'), await spend('nonce-1')]).toEqual(['full', 'reused']);
      expect(await spend('nonce-3', 'other')).toBe('spent');
      // They may be remembered for up to two minutes longer.
      await subject.advance(121_000);
      expect([await spend('nonce-3'), await spend('nonce-1')]).toEqual(['spent', 'spent']);
    });

    test('hits are counted in their window', async () => {
      const { counters } = subject.adapter;
      expect(await counters.hit('k', 1000)).toMatchObject({ hits: 1 });
      expect(await counters.hit('k', 1000)).toMatchObject({ hits: 2 });
      expect(await counters.hit('other', 1000)).toMatchObject({ hits: 1 });
      await subject.advance(1001);
      expect(await counters.hit('k', 1000)).toMatchObject({ hits: 1 });
    });

    test('places are held up to the limit, and released', async () => {
      const { counters } = subject.adapter;
      const held = await Promise.all(Array.from({ length: 5 }, () => counters.hold('k', 3)));
      expect(held.filter(Boolean)).toHaveLength(3);
      await counters.release('k');
      expect(await counters.hold('k', 3)).toBe(true);
      expect(await counters.hold('k', 3)).toBe(false);
    });
  });
}
