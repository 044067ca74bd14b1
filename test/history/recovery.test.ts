import { MemoryAdapter } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect, connectCapable, open, type TestClient } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';

const NEWS = 'news';
const history = [{ channels: NEWS, seconds: 60, messages: 5 }];

interface Acknowledgement {
  readonly event: string;
  readonly position?: string;
  readonly recovery?: { readonly status: string; readonly count?: number; readonly code?: string };
}

/** A broker whose history grows old as fast as the test says. */
async function start(rules: readonly object[] = history, app: object = {}) {
  const clock = { now: 1_700_000_000_000 };
  const adapter = new MemoryAdapter({ now: () => clock.now, monotonic: () => clock.now });
  const server = await startServer({ app: { history: rules, ...app }, parts: { adapter } });
  return { clock, server };
}

/** Subscribes, and returns the parsed acknowledgement. */
async function join(client: TestClient, channel: string, data: object = {}): Promise<Acknowledgement> {
  client.subscribe(channel, data);
  return (await client.nextMessage()) as Acknowledgement;
}

async function rest(client: TestClient): Promise<unknown[]> {
  return (await client.nothing()).map((frame) => JSON.parse(String(frame)));
}

async function positionsOf(server: { url: string }, channel = NEWS): Promise<string[]> {
  const { body } = await request(server, 'GET', `/channels/${channel}/events`);
  return (body as { events: { position: string }[] }).events.map(({ position }) => position);
}

describe('what clients are told', () => {
  test('a capable client gets the positions of events, of its subscription and of nothing else', async () => {
    const { server } = await start();
    const client = await connectCapable(server);
    const { position } = await join(client, NEWS);
    expect(position).toMatch(/^[\w.-]{1,64}$/);
    await publish(server, NEWS, 'e', '1');
    const event = JSON.parse(String(await client.next()));
    expect(event).toEqual({ event: 'e', channel: NEWS, data: '1', position: (await positionsOf(server))[0] });
    expect(event.position).not.toBe(position);
    expect(await join(client, 'other')).toEqual(JSON.parse(frames.subscribed('other')));
    await publish(server, 'other', 'e', '2');
    expect(await client.next()).toBe(frames.event('e', 'other', '2'));
  });

  test('a stock client gets the same bytes as without a history', async () => {
    const { server } = await start();
    await publish(server, NEWS, 'e', '0');
    const [stock, capable] = [await connect(server), await connectCapable(server)];
    stock.subscribe(NEWS, { after: 'x' });
    expect(await stock.next()).toBe(frames.subscribed(NEWS));
    await join(capable, NEWS);
    await publish(server, NEWS, 'e', '1');
    expect(await stock.nothing()).toEqual([frames.event('e', NEWS, '1')]);
  });

  test('the connection says whether the broker understands', async () => {
    const { server } = await start();
    const capable = open(server, '/app/key-1?protocol=7&countersign=1');
    expect(JSON.parse(String((await capable.nextMessage()).data)).countersign).toEqual({ version: 1 });
    const other = open(server, '/app/key-1?protocol=7&countersign=2');
    expect(JSON.parse(String((await other.nextMessage()).data))).not.toHaveProperty('countersign');
  });
});

describe('a client that comes back', () => {
  test('gets what it missed, in order, and then what is live', async () => {
    const { server } = await start();
    const first = await connectCapable(server);
    const { position: before } = await join(first, NEWS);
    for (const data of ['1', '2', '3']) await publish(server, NEWS, 'e', data);
    const positions = await positionsOf(server);
    const second = await connectCapable(server);
    expect(await join(second, NEWS, { after: positions[0] })).toMatchObject({
      position: positions[2],
      recovery: { status: 'replayed', count: 2 },
    });
    await publish(server, NEWS, 'e', '4');
    expect(await rest(second)).toEqual([
      { event: 'e', channel: NEWS, data: '2', position: positions[1], replayed: true },
      { event: 'e', channel: NEWS, data: '3', position: positions[2], replayed: true },
      { event: 'e', channel: NEWS, data: '4', position: (await positionsOf(server))[3] },
    ]);
    const third = await connectCapable(server);
    expect((await join(third, NEWS, { after: before })).recovery).toEqual({ status: 'replayed', count: 4 });
  });

  test('is told that it missed nothing', async () => {
    const { server } = await start();
    const client = await connectCapable(server);
    const { position } = await join(client, NEWS);
    const again = await connectCapable(server);
    expect(await join(again, NEWS, { after: position })).toMatchObject({
      position,
      recovery: { status: 'current', count: 0 },
    });
    await publish(server, NEWS, 'e', '1');
    const [last] = await positionsOf(server);
    expect(await join(await connectCapable(server), NEWS, { after: last })).toMatchObject({
      position: last,
      recovery: { status: 'current' },
    });
  });

  test('is told when what followed was dropped, and is let in', async () => {
    const { server } = await start();
    const { position: start0 } = await join(await connectCapable(server), NEWS);
    await publish(server, NEWS, 'e', '1');
    const [first] = await positionsOf(server);
    for (const data of ['2', '3', '4', '5', '6']) await publish(server, NEWS, 'e', data);
    expect((await join(await connectCapable(server), NEWS, { after: first })).recovery).toEqual({
      status: 'replayed',
      count: 5,
    });
    const client = await connectCapable(server);
    expect((await join(client, NEWS, { after: start0 })).recovery).toEqual({
      status: 'lost',
      count: 0,
      code: 'position_too_old',
    });
    await publish(server, NEWS, 'e', '7');
    expect(await rest(client)).toMatchObject([{ data: '7' }]);
  });

  test.each([['x'], [''], ['x'.repeat(1000)], [7], [null], [{}]])(
    'is told that %j is no position of this channel',
    async (after) => {
      const { server } = await start();
      await publish(server, NEWS, 'e', '1');
      const client = await connectCapable(server);
      const { position, recovery } = await join(client, NEWS, { after });
      expect(recovery).toEqual({ status: 'lost', count: 0, code: 'position_unknown' });
      expect(position).toBe((await positionsOf(server))[0]);
      expect(await client.nothing()).toEqual([]);
    },
  );

  test('cannot use a position of another channel, of another run, or one that was not given yet', async () => {
    const rules = [{ channels: '*', seconds: 60, messages: 5 }];
    const { server } = await start(rules);
    const { server: other } = await start(rules);
    for (const broker of [server, other]) await publish(broker, NEWS, 'e', '1');
    await publish(server, 'other', 'e', '1');
    const [[mine], [foreign], [elsewhere]] = [
      await positionsOf(server),
      await positionsOf(server, 'other'),
      await positionsOf(other),
    ];
    const later = mine!.replace(/.$/, 'z');
    for (const after of [foreign, elsewhere, later]) {
      const { recovery } = await join(await connectCapable(server), NEWS, { after });
      expect(recovery).toMatchObject({ status: 'lost', code: 'position_unknown' });
    }
  });

  test('does not get the events again that excluded its last connection', async () => {
    const { server } = await start();
    const first = await connectCapable(server);
    const { position: after } = await join(first, NEWS);
    await publish(server, NEWS, 'e', '1', { socket_id: first.socketId });
    await publish(server, NEWS, 'e', '2');
    const second = await connectCapable(server);
    const answer = await join(second, NEWS, { after, socket_id_before: first.socketId });
    expect(answer.recovery).toEqual({ status: 'replayed', count: 1 });
    expect(await rest(second)).toMatchObject([{ data: '2' }]);
  });

  test('gets all of a long history, page by page, with live events behind it', async () => {
    const { server } = await start([{ channels: NEWS, seconds: 60, messages: 1000 }]);
    const { position: after } = await join(await connectCapable(server), NEWS);
    const ids = Array.from({ length: 450 }, (_, id) => String(id));
    for (const id of ids) await publish(server, NEWS, 'e', id);
    const client = await connectCapable(server);
    expect((await join(client, NEWS, { after })).recovery).toEqual({ status: 'replayed', count: 450 });
    await publish(server, NEWS, 'e', 'live');
    const received = [];
    for (let n = 0; n < 451; n += 1) received.push((await client.nextMessage()).data);
    expect(received).toEqual([...ids, 'live']);
    expect(await client.nothing()).toEqual([]);
  });

  test('a second subscribe says where the channel is, and replays nothing', async () => {
    const { server } = await start();
    const client = await connectCapable(server);
    const { position: after } = await join(client, NEWS);
    await publish(server, NEWS, 'e', '1');
    await client.next();
    const again = await join(client, NEWS, { after });
    expect(again).toMatchObject({ position: (await positionsOf(server))[0] });
    expect(again).not.toHaveProperty('recovery');
    expect(await client.nothing()).toEqual([]);
  });

  test('to a channel whose rule was removed is told that its position is unknown', async () => {
    const { server } = await start();
    const answer = await join(await connectCapable(server), 'other', { after: 'x' });
    expect(answer.recovery).toEqual({ status: 'lost', count: 0, code: 'position_unknown' });
    expect(answer).not.toHaveProperty('position');
  });
});

describe('what is kept', () => {
  test('ends after its time, and the last position stays valid', async () => {
    const { server, clock } = await start();
    const { position: before } = await join(await connectCapable(server), NEWS);
    await publish(server, NEWS, 'e', '1');
    const [last] = await positionsOf(server);
    clock.now += 60_000;
    expect(await positionsOf(server)).toEqual([]);
    expect((await join(await connectCapable(server), NEWS, { after: last })).recovery?.status).toBe(
      'current',
    );
    expect((await join(await connectCapable(server), NEWS, { after: before })).recovery?.code).toBe(
      'position_too_old',
    );
    await publish(server, NEWS, 'e', '2');
    expect((await join(await connectCapable(server), NEWS, { after: last })).recovery).toEqual({
      status: 'replayed',
      count: 1,
    });
  });

  test('client events are kept with their user, membership is not', async () => {
    const channel = 'presence-room';
    const { server } = await start([{ channels: 'presence-*', seconds: 60, messages: 5 }]);
    const ann = await connect(server);
    await ann.join(channel, { user_id: 'ann' });
    ann.trigger(channel, 'client-hi', { a: 1 });
    await ann.nothing();
    const { body } = await request(server, 'GET', `/channels/${channel}/events`);
    expect(body).toMatchObject({ events: [{ name: 'client-hi', data: '{"a":1}', user_id: 'ann' }] });
  });

  test('cache channels send a client that comes back neither the kept event nor a miss', async () => {
    const channel = 'cache-news';
    const { server } = await start([{ channels: 'cache-*', seconds: 60, messages: 5 }]);
    const { position: empty } = await join(await connectCapable(server), channel);
    const current = await connectCapable(server);
    await join(current, channel, { after: empty });
    expect(await current.nothing()).toEqual([]);
    await publish(server, channel, 'e', '1');
    const [last] = await positionsOf(server, channel);
    const replayed = await connectCapable(server);
    await join(replayed, channel, { after: empty });
    expect(await rest(replayed)).toMatchObject([{ data: '1', replayed: true }]);
    const lost = await connectCapable(server);
    await join(lost, channel, { after: 'x' });
    expect(await rest(lost)).toEqual([{ event: 'e', channel, data: '1', position: last }]);
  });
});
