import { Countersign } from '@countersign/sdk-client';
import { expect, onTestFinished, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { APP, type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { Valve } from '../helpers/brokers/tcp-proxy.ts';
import { eventually, nextEvent, recorded, startClient } from '../helpers/clients/client-start.ts';
import { startEndpoint } from '../helpers/clients/fake-endpoint.ts';

const HISTORY = { history: [{ channels: 'news', seconds: 60, messages: 10 }] };
const SUCCEEDED = 'pusher:subscription_succeeded';

/** A broker, and a subscribed client that can be cut off. */
async function start(settings: ServerSettings = { app: HISTORY }) {
  const broker = await startServer(settings);
  const valve = await Valve.open(broker.port);
  onTestFinished(() => valve.close());
  const client = new Countersign(APP.key, {
    host: '127.0.0.1',
    port: valve.port,
    forceTLS: false,
    reconnect: { minDelay: 10, maxDelay: 50 },
  });
  onTestFinished(() => client.disconnect());
  const channel = client.subscribe('news');
  await nextEvent(channel, SUCCEEDED);
  /** Cuts the connection; something happens before the client is back. */
  const awayDuring = async (happening: () => Promise<unknown>): Promise<void> => {
    valve.shut();
    valve.cut();
    await eventually(() => client.connection.state).toBe('connecting');
    await happening();
    const back = nextEvent(channel, SUCCEEDED);
    valve.reopen();
    await back;
  };
  return { broker, client, channel, awayDuring, say: (data: string) => publish(broker, 'news', 'e', data) };
}

function promised<Value>() {
  let resolve: (value: Value) => void = () => {};
  const promise = new Promise<Value>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test('a client that comes back gets what it missed, and then what is live', async () => {
  const { channel, awayDuring, say } = await start();
  const empty = channel.position;
  expect(empty).toMatch(/^[\w.-]{1,64}$/);
  const events = recorded(channel);
  await say('1');
  await eventually(() => channel.position).not.toBe(empty);
  await awayDuring(async () => {
    await say('2');
    await say('3');
  });
  await say('4');
  await eventually(() => events.at(-1)?.data).toBe(4);
  expect(events.map(({ event, data }) => [event, data])).toEqual([
    ['e', 1],
    [SUCCEEDED, {}],
    ['e', 2],
    ['e', 3],
    ['countersign:recovered', { count: 2 }],
    ['e', 4],
  ]);
});

test('it is told that it missed nothing', async () => {
  const { channel, awayDuring } = await start();
  const recovered = nextEvent(channel, 'countersign:recovered');
  const { position } = channel;
  await awayDuring(async () => {});
  expect(await recovered).toEqual({ count: 0 });
  expect(channel.position).toBe(position);
});

test('it is told that what it missed is lost, and goes on from there', async () => {
  const { broker, channel, awayDuring, say } = await start();
  await say('1');
  const lost = nextEvent(channel, 'countersign:recovery_lost');
  await awayDuring(async () => {
    await say('2');
    await request(broker, 'DELETE', '/channels/news/events');
  });
  expect(await lost).toEqual({ code: 'position_too_old' });
  const recovered = nextEvent(channel, 'countersign:recovered');
  await awayDuring(() => say('3'));
  expect(await recovered).toEqual({ count: 1 });
});

test('its own events do not come back', async () => {
  const { broker, client, channel, awayDuring, say } = await start();
  const events = recorded(channel);
  const recovered = nextEvent(channel, 'countersign:recovered');
  const { socket_id: socketId } = client.connection;
  await awayDuring(async () => {
    await publish(broker, 'news', 'e', 'mine', { socket_id: socketId });
    await say('2');
  });
  expect(await recovered).toEqual({ count: 1 });
  expect(events.filter(({ event }) => event === 'e')).toEqual([{ event: 'e', data: 2 }]);
});

test('a replay that is cut off goes on where it was, and what comes twice is handed over once', async () => {
  const endpoint = await startEndpoint();
  const client = startClient(endpoint);
  const channel = client.subscribe('news');
  const events = recorded(channel);
  const succeed = async (socketId: string, extra: object) => {
    const peer = await endpoint.welcome(socketId);
    const frame = await peer.next();
    peer.event('pusher_internal:subscription_succeeded', {}, 'news', extra);
    return { peer, frame };
  };
  const replayed = { replayed: true };
  const first = await succeed('1.1', { position: 'p0' });
  first.peer.event('e', 1, 'news', { position: 'p1' });
  await eventually(() => channel.position).toBe('p1');
  first.peer.socket.terminate();
  const second = await succeed('2.2', { position: 'p4', recovery: { status: 'replayed', count: 3 } });
  expect(second.frame).toMatchObject({ data: { after: 'p1', socket_id_before: '1.1' } });
  second.peer.event('e', 2, 'news', { position: 'p2', ...replayed });
  await eventually(() => channel.position).toBe('p2');
  second.peer.socket.terminate();
  const third = await succeed('3.3', { position: 'p4', recovery: { status: 'replayed', count: 2 } });
  expect(third.frame).toMatchObject({ data: { after: 'p2', socket_id_before: '2.2' } });
  third.peer.event('e', 2, 'news', { position: 'p2', ...replayed });
  third.peer.event('e', 3, 'news', { position: 'p3', ...replayed });
  await nextEvent(channel, 'countersign:recovered');
  expect(channel.position).toBe('p4');
  expect(events.flatMap(({ event, data }) => (event === 'e' ? [data] : []))).toEqual([1, 2, 3]);
});

test('a channel without a history asks for nothing and tells nothing', async () => {
  const { channel, awayDuring, say } = await start({});
  const events = recorded(channel);
  await awayDuring(() => say('1'));
  await say('2');
  await eventually(() => events.at(-1)?.data).toBe(2);
  expect(events).toEqual([
    { event: SUCCEEDED, data: {} },
    { event: 'e', data: 2 },
  ]);
  expect(channel.position).toBeUndefined();
});

test('a state is handed over first, and then what came while it was loaded', async () => {
  const { channel, say } = await start();
  const events = recorded(channel);
  const loading = promised<string>();
  channel.load(() => loading.promise);
  const before = channel.position;
  await say('1');
  await say('2');
  await eventually(() => channel.position).not.toBe(before);
  loading.resolve('state');
  await say('3');
  await eventually(() => events.at(-1)?.data).toBe(3);
  expect(events.map(({ data }) => data)).toEqual(['state', 1, 2, 3]);
});

test('a state is loaded again when something is lost, and only then', async () => {
  const { broker, channel, awayDuring, say } = await start();
  const events = recorded(channel);
  let loads = 0;
  const end = channel.load(() => ++loads);
  await nextEvent(channel, 'countersign:state');
  await say('1');
  await awayDuring(() => say('2'));
  const again = nextEvent(channel, 'countersign:state');
  await awayDuring(async () => {
    await say('3');
    await request(broker, 'DELETE', '/channels/news/events');
  });
  expect(await again).toBe(2);
  end();
  await say('4');
  await eventually(() => events.at(-1)?.data).toBe(4);
  const told = events.flatMap(({ event, data }) => (/^(e|.*state)$/.test(event) ? [data] : []));
  expect(told).toEqual([1, 1, 2, 2, 4]);
});

test('a load that fails is tried again, and the events wait for it', async () => {
  const { channel, say } = await start({});
  const events = recorded(channel);
  const failed = nextEvent(channel, 'countersign:state_error');
  let loads = 0;
  const proceed = promised<string>();
  channel.load(() => {
    loads += 1;
    if (loads === 1) throw new Error('Not now');
    return proceed.promise;
  });
  expect(await failed).toMatchObject({ error: new Error('Not now'), retryIn: expect.any(Number) });
  await say('1');
  await eventually(() => loads).toBe(2);
  proceed.resolve('state');
  await eventually(() => events.at(-1)?.data).toBe(1);
  expect(events.map(({ event }) => event)).toEqual(['countersign:state_error', 'countersign:state', 'e']);
});

test('events that pile up during a load are dropped, and the state is loaded once more', async () => {
  const endpoint = await startEndpoint();
  const channel = startClient(endpoint).subscribe('news');
  const events = recorded(channel);
  const peer = await endpoint.welcome('1.1');
  await peer.next();
  peer.event('pusher_internal:subscription_succeeded', {}, 'news', { position: 'p' });
  await nextEvent(channel, SUCCEEDED);
  let loads = 0;
  const first = promised<void>();
  channel.load(async () => {
    loads += 1;
    if (loads === 1) await first.promise;
    return `state ${loads}`;
  });
  for (let n = 0; n <= 1000; n += 1) peer.event('e', n, 'news', { position: `p${n}` });
  await eventually(() => channel.position).toBe('p1000');
  first.resolve();
  expect(await nextEvent(channel, 'countersign:state')).toBe('state 2');
  peer.event('e', 'live', 'news', { position: 'q' });
  await eventually(() => events.at(-1)?.data).toBe('live');
  expect(events.map(({ data }) => data)).toEqual([{}, 'state 2', 'live']);
});

test('a state that events always overtake is not asked for without a pause', async () => {
  const endpoint = await startEndpoint();
  const reconnect = { minDelay: 400, maxDelay: 10_000 };
  const channel = startClient(endpoint, { reconnect }).subscribe('news');
  const peer = await endpoint.welcome('1.1');
  await peer.next();
  peer.event('pusher_internal:subscription_succeeded', {}, 'news', { position: 'p' });
  await nextEvent(channel, SUCCEEDED);
  const [begun, ended]: [number[], number[]] = [[], []];
  channel.load(async () => {
    const load = begun.push(performance.now());
    if (load === 3) return 'state';
    for (let n = 0; n <= 1000; n += 1) peer.event('e', n, 'news', { position: `${load}-${n}` });
    await eventually(() => channel.position).toBe(`${load}-1000`);
    ended.push(performance.now());
    return 'overtaken';
  });
  expect(await nextEvent(channel, 'countersign:state')).toBe('state');
  // At least half of the longest delay, which doubles.
  expect(begun[1]! - ended[0]!).toBeGreaterThanOrEqual(199);
  expect(begun[2]! - ended[1]!).toBeGreaterThanOrEqual(399);
});
