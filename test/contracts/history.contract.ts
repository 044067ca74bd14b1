import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EventMessage, Message, Seat } from '#server/adapter/adapter';
import { NO_JOURNAL } from '#server/adapter/journal';
import { NOTHING_DONE } from '#server/adapter/questions';
import type { Subject } from './adapter.contract.ts';

const topic = 'app:news';
const rule = { channels: '*', seconds: 60, messages: 5, rewind: 0 };
const all = { limit: 100, bytes: 1_000_000 };
const seat: Seat = { socketId: '1.1', since: 0, client: 'test/1', address: '127.0.0.1' };

/** The promises of every store of histories. */
export function historyContract(name: string, make: () => Subject | Promise<Subject>): void {
  describe(`${name} keeps the contract of a history`, () => {
    let subject: Subject;
    let received: Message[];

    beforeEach(async () => {
      subject = await make();
      const inbox: Message[] = [];
      received = inbox;
      subject.adapter.attach(
        {
          deliver: (message) => inbox.push(message),
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

    async function publish(data: string, parts: Partial<EventMessage> = {}, messages = 5): Promise<string> {
      const event = { kind: 'event', topic, name: 'e', data, ...parts } as const;
      const position = await subject.adapter.bus.publish(event, { history: { ...rule, messages } });
      if (position === undefined) throw new Error('The event got no position');
      return position;
    }

    async function read(query: object = {}) {
      const page = await subject.adapter.history.read(topic, { ...all, ...query });
      return typeof page === 'string' ? page : { ...page, events: page.events.map(({ data }) => data) };
    }

    test('events are read in order, each with its position', async () => {
      const positions = [await publish('1'), await publish('2', { userId: 'ann', except: '1.1' })];
      const page = await subject.adapter.history.read(topic, all);
      expect(page).toMatchObject({
        events: [
          { position: positions[0], name: 'e', data: '1' },
          { position: positions[1], name: 'e', data: '2', userId: 'ann', except: '1.1' },
        ],
        position: positions[1],
        next: positions[1],
        isComplete: true,
        count: 2,
      });
      for (const position of positions) expect(position).toMatch(/^[A-Za-z0-9_.-]{1,64}$/);
      expect(await subject.adapter.history.position(topic)).toBe(positions[1]);
    });

    test('a live message has the position and the version of the event', async () => {
      await subject.adapter.bus.listen(topic);
      const position = await publish('1');
      await expect.poll(() => received).toMatchObject([{ kind: 'event', data: '1', position }]);
      const page = await subject.adapter.history.read(topic, all);
      expect(page).toMatchObject({ events: [{ version: (received[0] as EventMessage).version }] });
    });

    test('a history goes on after a position that is known, and after no other', async () => {
      const empty = await subject.adapter.history.position(topic);
      const first = await publish('1');
      const second = await publish('2');
      expect(await read({ after: empty })).toMatchObject({ events: ['1', '2'], count: 2 });
      expect(await read({ after: first })).toMatchObject({ events: ['2'], count: 1 });
      expect(await read({ after: second })).toMatchObject({
        events: [],
        count: 0,
        isComplete: true,
        next: second,
      });
      const other = await subject.adapter.history.position('app:other');
      for (const after of ['', 'x', other, `${second}0`, second.replace(/.$/, '')]) {
        expect(await read({ after })).toBe('position_unknown');
      }
    });

    test('the oldest events go first, and the position right before the oldest stays valid', async () => {
      const positions: string[] = [];
      for (let n = 0; n < 8; n += 1) positions.push(await publish(String(n)));
      expect(await read()).toMatchObject({ events: ['3', '4', '5', '6', '7'] });
      expect(await read({ after: positions[2] })).toMatchObject({ events: ['3', '4', '5', '6', '7'] });
      expect(await read({ after: positions[1] })).toBe('position_too_old');
      await publish('8', {}, 2);
      expect(await read({ after: positions[6] })).toMatchObject({ events: ['7', '8'] });
      expect(await read({ after: positions[5] })).toBe('position_too_old');
    });

    test('pages lead to the end', async () => {
      for (let n = 0; n < 5; n += 1) await publish(String(n));
      const first = await read({ limit: 2 });
      expect(first).toMatchObject({ events: ['0', '1'], isComplete: false, count: 5 });
      const second = await read({ limit: 2, after: (first as { next: string }).next });
      expect(second).toMatchObject({ events: ['2', '3'], isComplete: false, count: 3 });
      const third = await read({ limit: 2, after: (second as { next: string }).next });
      expect(third).toMatchObject({ events: ['4'], isComplete: true, count: 1 });
      expect(await read({ bytes: 1 })).toMatchObject({ events: ['0'], isComplete: false });
      expect(await read({ last: 2 })).toMatchObject({ events: ['3', '4'], isComplete: true, count: 2 });
      expect(await read({ last: 10 })).toMatchObject({ count: 5 });
    });

    test('events that excluded a connection are left out for it', async () => {
      const except = '7.7';
      await publish('1');
      await publish('2', { except });
      const last = await publish('3', { except });
      expect(await read({ without: except })).toMatchObject({
        events: ['1'],
        count: 1,
        isComplete: true,
        next: last,
      });
      expect(await read({ without: '8.8' })).toMatchObject({ count: 3 });
    });

    test('a purge drops everything, and the last position stays valid', async () => {
      const first = await publish('1');
      const second = await subject.adapter.bus.publish(
        { kind: 'event', topic, name: 'e', data: '2' },
        { history: rule, lastSeconds: 60 },
      );
      await subject.adapter.history.purge(topic);
      expect(await read()).toMatchObject({ events: [], position: second });
      expect(await read({ after: first })).toBe('position_too_old');
      expect(await subject.adapter.channelCache.last(topic)).toBeUndefined();
      await publish('3');
      expect(await read({ after: second })).toMatchObject({ events: ['3'] });
    });

    test('a join answers the position of the channel at that moment', async () => {
      const { roster, history } = subject.adapter;
      const empty = await roster.join(topic, seat, { position: true });
      expect(empty).toMatchObject({ position: await history.position(topic) });
      const position = await publish('1');
      expect(await roster.join(topic, { ...seat, socketId: '2.2' }, { position: true })).toMatchObject({
        position,
      });
    });

    test('the kept event of a cache channel has its position', async () => {
      const position = await subject.adapter.bus.publish(
        { kind: 'event', topic, name: 'e', data: '1' },
        { history: rule, lastSeconds: 60 },
      );
      expect(await subject.adapter.roster.join(topic, seat)).toMatchObject({ last: { data: '1', position } });
    });

    test('a page tells the position right before it', async () => {
      const empty = await subject.adapter.history.position(topic);
      expect(await read()).toMatchObject({ begin: empty });
      const positions: string[] = [];
      for (let n = 0; n < 7; n += 1) positions.push(await publish(String(n)));
      expect(await read()).toMatchObject({ begin: positions[1] });
      expect(await read({ last: 2 })).toMatchObject({ begin: positions[4] });
      expect(await read({ last: 5 })).toMatchObject({ begin: positions[1] });
      expect(await read({ after: positions[3] })).toMatchObject({ begin: positions[3] });
      expect(await read({ after: positions[1] })).toMatchObject({ begin: positions[1] });
    });

    test('how far a connection had got is kept for its time, by channel and connection', async () => {
      const { lastPositions } = subject.adapter;
      await lastPositions.note('app', 'news', '1.1', { position: 'a.1' }, 60);
      await lastPositions.note('app', 'news', '2.2', { position: 'a.2', userId: 'Zoë "1' }, 2);
      await lastPositions.note('app', 'news', '1.1', { position: 'a.3' }, 60);
      expect(await lastPositions.find('app', 'news', '1.1')).toEqual({ position: 'a.3' });
      expect(await lastPositions.find('app', 'news', '2.2')).toEqual({ position: 'a.2', userId: 'Zoë "1' });
      for (const [app, channel, id] of [
        ['app', 'news', '3.3'],
        ['app', 'other', '1.1'],
        ['other', 'news', '1.1'],
      ] as const)
        expect(await lastPositions.find(app, channel, id)).toBeUndefined();
      await subject.advance(2001);
      expect(await lastPositions.find('app', 'news', '2.2')).toBeUndefined();
      expect(await lastPositions.find('app', 'news', '1.1')).toEqual({ position: 'a.3' });
    });

    test('names and data may contain any text', async () => {
      const odd = { name: 'Ä "\\\n 1-1 ', data: '{"a":" \u2028 🎉"}' };
      await publish(odd.data, { name: odd.name });
      expect(await subject.adapter.history.read(topic, all)).toMatchObject({ events: [odd] });
    });

    test('events end after their time', async () => {
      const before = await subject.adapter.history.position(topic);
      const last = await subject.adapter.bus.publish(
        { kind: 'event', topic, name: 'e', data: '1' },
        { history: { ...rule, seconds: 1 } },
      );
      await subject.advance(1001);
      expect(await read()).toMatchObject({ events: [], position: last });
      expect(await read({ after: last })).toMatchObject({ count: 0 });
      expect(await read({ after: before })).toBe('position_too_old');
    });
  });
}
