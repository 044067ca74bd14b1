import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileAppStore } from '#server/apps/file-store';
import { backoffMs } from '#server/async/backoff';
import { parseConfig } from '#server/config/load';
import { Metrics } from '#server/metrics';
import { OutboundClient } from '#server/outbound/http-client';
import { isPublicAddress } from '#server/outbound/public-addresses';
import { Dispatcher } from '#server/webhooks/delivery/dispatcher';
import { newEvent } from '#server/webhooks/event';
import { HealthBook } from '#server/webhooks/health/health';
import { MemoryOutbox } from '#server/webhooks/outbox/memory/outbox';
import { Overflow } from '#server/webhooks/outbox/overflow';
import { BOUNDS } from '../contracts/outbox.contract.ts';
import { ok, type Reply, startReceiver, status, type WebhookReceiver } from '../helpers/brokers/receiver.ts';
import { APP, OTHER_APP } from '../helpers/brokers/server.ts';
import { recordLog } from '../helpers/log.ts';
import { runningTime } from '../helpers/running-time.ts';

interface Settings {
  /** Of all hooks. */
  readonly hook?: object;
  readonly addresses?: 'public' | 'any';
  readonly retryMs?: number;
  readonly timeoutMs?: number;
  readonly maxPending?: number;
  /** Of 0 every wait is as short as chance makes it. */
  readonly random?: () => number;
  /** Apps beside the usual one, which all have the same hooks. */
  readonly others?: readonly { readonly id: string; readonly key: string; readonly secret: string }[];
}

/** A dispatcher with a hook for each URL, named `hook-0`, `hook-1` and so on. */
function start(urls: readonly string[], settings: Settings = {}) {
  const { hook = {}, addresses = 'any', retryMs = 60_000, timeoutMs = 300, maxPending = 1000 } = settings;
  const { random = () => 0, others = [] } = settings;
  const webhooks = urls.map((url, n) => ({ id: `hook-${n}`, url, events: ['cache_miss'], ...hook }));
  const { apps: list } = parseConfig({
    apps: [APP, ...others].map(({ id, key, secret }) => ({ id, keys: [{ key, secret }], webhooks })),
  });
  const apps = new FileAppStore(list);
  const { hooks } = apps.byId(APP.id)!;
  const outbox = new MemoryOutbox({ ...BOUNDS, now: Date.now, maxPending });
  const { log, lines } = recordLog();
  const metrics = new Metrics();
  const dispatcher = new Dispatcher({
    apps,
    outbox,
    transport: new OutboundClient({ addresses, timeoutMs, now: Date.now }),
    metrics,
    health: new HealthBook(Date.now),
    log,
    now: Date.now,
    wallClock: Date.now,
    random,
    retryMs,
  });
  onTestFinished(() => dispatcher.close());
  outbox.attach(new Overflow({ metrics, log, next: dispatcher }));
  dispatcher.update([...apps.all()].flatMap((app) => app.hooks));
  const tellHooksOf = (app: { readonly id: string }, ...channels: string[]) =>
    outbox.append(
      channels.map((channel) => ({
        appId: app.id,
        lane: channel,
        hooks: apps.byId(app.id)!.hooks,
        event: newEvent(Date.now(), 'cache_miss', channel),
      })),
    );
  return {
    dispatcher,
    outbox,
    lines,
    metrics: metrics.app(APP.id),
    hook: (n = 0) => hooks[n]!,
    /** Tells all hooks of the app of one event in each of the channels. */
    tell: (...channels: string[]) => tellHooksOf(APP, ...channels),
    tellHooksOf,
    list: (state: 'pending' | 'failing' | 'dead', n = 0) =>
      outbox.deliveries.list(hooks[n]!.key, state, 0, 1000),
    waiting: () => {
      const { pending, failing } = outbox.deliveries.counts(hooks[0]!.key);
      return pending + failing;
    },
  };
}

/** Answers the first requests like this, and the others well. */
function first(count: number, reply: Reply): Reply {
  let left = count;
  return (response, posted) => {
    left -= 1;
    if (left >= 0) reply(response, posted);
    else ok(response, posted);
  };
}

async function settled(receiver: WebhookReceiver, count: number): Promise<string[]> {
  const channels: string[] = [];
  while (channels.length < count) channels.push((await receiver.nextEvent()).channel ?? '');
  return channels;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

describe('a delivery that fails', () => {
  test.each<[what: string, reply: Reply, attempt: object, outcome: string]>([
    ['500', status(500, {}, 'x'.repeat(300)), { status: 500, answer: 'x'.repeat(200) }, 'refused'],
    ['302', status(302, { Location: '/elsewhere' }), { status: 302 }, 'refused'],
    ['404', status(404, {}, 'who?'), { status: 404, answer: 'who?' }, 'refused'],
    [
      'an answer that breaks off',
      (response) => {
        response.writeHead(200, { 'Content-Length': 10 }).write('half', () => response.destroy());
      },
      { status: null },
      'unreachable',
    ],
    ['a closed connection', (response) => void response.destroy(), { status: null }, 'unreachable'],
    ['silence', () => {}, { status: null, answer: 'no whole answer in time' }, 'timeout'],
    [
      'an answer without an end',
      (response) => void response.writeHead(200).write('a'),
      { status: null, answer: 'no whole answer in time' },
      'timeout',
    ],
  ])('with %s is sent again, the same and newly signed', async (_what, reply, attempt, outcome) => {
    const receiver = await startReceiver();
    receiver.reply = first(1, reply);
    const { tell, list, metrics } = start([receiver.url()]);
    await tell('a');
    const one = await receiver.next();
    await expect.poll(() => list('failing')).toMatchObject([{ tries: 1, attempts: [attempt] }]);
    const two = await receiver.next();
    expect(two.path).toBe('/hook');
    expect(two.events).toEqual(one.events);
    expect(two.headers['webhook-id']).toBe(one.headers['webhook-id']);
    expect(JSON.parse(two.rawBody).time_ms).toBeGreaterThan(JSON.parse(one.rawBody).time_ms);
    expect(two.headers['x-pusher-signature']).not.toBe(one.headers['x-pusher-signature']);
    expect(two.headers['webhook-signature']).not.toBe(one.headers['webhook-signature']);
    await expect.poll(() => list('failing')).toEqual([]);
    expect(Object.fromEntries(metrics.webhookAttempts)).toEqual({ [outcome]: 1, delivered: 1 });
  });

  test('waits for a receiver that is down', async () => {
    const port = await freePort();
    const { tell, list } = start([`http://127.0.0.1:${port}/`]);
    await tell('a');
    await expect
      .poll(() => list('failing'))
      .toMatchObject([{ attempts: [{ status: null, answer: expect.stringContaining('ECONNREFUSED') }] }]);
    const receiver = await startReceiver(port);
    expect(await receiver.nextEvent()).toMatchObject({ channel: 'a' });
  });

  test('waits as long as the receiver asks for', async () => {
    const receiver = await startReceiver();
    receiver.reply = first(1, status(429, { 'Retry-After': '2' }));
    const { tell, list } = start([receiver.url()]);
    await tell('a');
    const one = await receiver.next();
    await expect.poll(() => list('failing')).toHaveLength(1);
    const [failing] = await list('failing');
    expect(failing!.dueAt - failing!.attempts[0]!.at).toBeGreaterThanOrEqual(2000);
    const two = await receiver.next();
    const sentAt = ({ rawBody }: { rawBody: string }): number => JSON.parse(rawBody).time_ms;
    expect(sentAt(two) - sentAt(one)).toBeGreaterThanOrEqual(2000);
  });

  test('holds back its own channel on its own hook only', async () => {
    const [receiver, other] = [await startReceiver(), await startReceiver()];
    let fails = true;
    receiver.reply = (response, posted) => {
      if (fails && posted.events[0]?.channel === 'a') status(500)(response, posted);
      else ok(response, posted);
    };
    const { tell } = start([receiver.url(), other.url()]);
    await tell('a', 'a', 'b', 'b');
    const told = await receiver.until(({ events: [event] }) => event?.channel === 'b' && event.seq === 4);
    expect(told.map(({ events: [event] }) => event?.seq).toSorted()).toEqual([1, 3, 4]);
    const seqs = [1, 2, 3, 4].map(async () => (await other.nextEvent()).seq);
    expect((await Promise.all(seqs)).toSorted()).toEqual([1, 2, 3, 4]);
    fails = false;
    expect([(await receiver.nextEvent()).seq, (await receiver.nextEvent()).seq]).toEqual([1, 2]);
  });

  test('becomes a dead letter when it was tried for too long, and can be sent again', async () => {
    const receiver = await startReceiver();
    receiver.reply = first(2, status(500, {}, 'no'));
    const { tell, list, metrics, lines, outbox, dispatcher, hook } = start([receiver.url()], {
      retryMs: 600,
    });
    await tell('a', 'a');
    expect(await settled(receiver, 3)).toHaveLength(3);
    await expect.poll(() => list('pending')).toEqual([]);
    expect(await list('dead')).toMatchObject([{ tries: 1, attempts: [{ status: 500 }, { status: 500 }] }]);
    expect(metrics.webhookDeadLetters).toBe(1);
    expect(lines).toContainEqual(
      expect.objectContaining({
        msg: 'webhook delivery became a dead letter: it was tried for too long',
        hook: 'hook-0',
        delivery: (await list('dead'))[0]?.id,
      }),
    );
    const [dead] = receiver.posted;
    await outbox.deliveries.retry(hook().key, { state: 'dead' });
    dispatcher.refresh(hook().key);
    const again = await receiver.next();
    expect([again.events, again.headers['webhook-id']]).toEqual([dead!.events, dead!.headers['webhook-id']]);
  });

  test('with 410 disables the hook, until it is resumed', async () => {
    const [receiver, other] = [await startReceiver(), await startReceiver()];
    receiver.reply = first(1, status(410));
    const { tell, outbox, dispatcher, hook, lines } = start([receiver.url(), other.url()]);
    await tell('a', 'a');
    await expect.poll(() => outbox.stateOf(hook().key)).toBe('disabled');
    await tell('b');
    expect(await settled(other, 3)).toHaveLength(3);
    expect(receiver.posted).toHaveLength(1);
    expect(outbox.deliveries.counts(hook().key)).toEqual({ pending: 2, failing: 1, dead: 0 });
    expect(lines.filter(({ msg }) => msg === 'webhook disabled: its receiver is gone')).toHaveLength(1);
    await outbox.setState(hook().key, 'active');
    dispatcher.refresh(hook().key);
    await expect
      .poll(() =>
        receiver.posted
          .slice(1)
          .map(({ events: [event] }) => event?.channel)
          .toSorted(),
      )
      .toEqual(['a', 'a', 'b']);
  });
});

describe('a receiver', () => {
  test('is sent eight requests at a time, and one for each channel', async () => {
    const receiver = await startReceiver();
    const waiting: (() => void)[] = [];
    let most = 0;
    receiver.reply = (response, posted) => {
      waiting.push(() => ok(response, posted));
      most = Math.max(most, waiting.length);
      // The eighth lets all go: more of them would have come before.
      if (waiting.length === 8) for (const answer of waiting.splice(0)) answer();
    };
    const { tell } = start([receiver.url()], { timeoutMs: 5000 });
    await tell(...Array.from({ length: 16 }, (_, n) => `channel-${n}`));
    expect(new Set(await settled(receiver, 16)).size).toBe(16);
    expect(most).toBe(8);
    await tell(...Array.from({ length: 8 }, () => 'one'));
    receiver.reply = ok;
    for (const answer of waiting.splice(0)) answer();
    expect(await settled(receiver, 8)).toEqual(Array.from({ length: 8 }, () => 'one'));
    const seqs = receiver.posted.slice(16).map(({ events: [event] }) => event?.seq);
    expect(seqs).toEqual(seqs.toSorted((a, b) => Number(a) - Number(b)));
  });

  test('that fails whatever it is sent is asked by one request at a time, and nobody else waits for it', async () => {
    const [receiver, other] = [await startReceiver(), await startReceiver()];
    let inFlight = 0;
    const atOnce: number[] = [];
    let fails = true;
    receiver.reply = (response, posted) => {
      inFlight += 1;
      atOnce.push(inFlight);
      response.on('close', () => {
        inFlight -= 1;
      });
      if (fails) status(503)(response, posted);
      else ok(response, posted);
    };
    const { tell, lines, waiting } = start([receiver.url(), other.url()]);
    const channels = Array.from({ length: 30 }, (_, n) => `channel-${n}`);
    await tell(...channels);
    expect(new Set(await settled(other, 30)).size).toBe(30);
    await expect
      .poll(() => lines.map(({ msg }) => msg))
      .toContain('webhook receiver fails: it is asked by one request at a time');
    const before = receiver.posted.length;
    expect(before).toBeLessThanOrEqual(13);
    // Two probes, one after the other.
    await expect.poll(() => receiver.posted.length).toBeGreaterThanOrEqual(before + 2);
    expect(Math.max(...atOnce.slice(13))).toBe(1);
    expect(await waiting()).toBe(30);
    fails = false;
    await expect.poll(waiting).toBe(0);
    expect(lines.map(({ msg }) => msg)).toContain('webhook receiver works again');
  });

  test('may answer as much as it likes', async () => {
    const receiver = await startReceiver();
    receiver.reply = (response) => {
      response.writeHead(200);
      const more = (): void => {
        if (!response.destroyed) response.write('x'.repeat(10_000), more);
      };
      more();
    };
    const { tell, list, metrics } = start([receiver.url()], { timeoutMs: 10_000 });
    await tell('a');
    await expect.poll(() => list('pending')).toEqual([]);
    expect(metrics.webhookAttempts.get('delivered')).toBe(1);
  });
});

/** Answers channels that begin like this in a way of their own, and all others well. */
function only(prefix: string, reply: Reply): Reply {
  return (response, posted) => (posted.events[0]?.channel?.startsWith(prefix) ? reply : ok)(response, posted);
}

const BAD = Array.from({ length: 40 }, (_, n) => `bad-${n}`);
const FAILS = 'webhook receiver fails: it is asked by one request at a time';

describe('channels that a receiver does not take', () => {
  test.each([400, 401, 403, 404, 409, 413, 422, 451])(
    'with %i hold back no other one, and the receiver works',
    async (code) => {
      const receiver = await startReceiver();
      receiver.reply = only('bad', status(code));
      const { tell, lines, list } = start([receiver.url()], { random: Math.random });
      await tell(...BAD);
      await expect.poll(() => list('failing')).toHaveLength(BAD.length);
      await tell('news');
      const [told] = (await receiver.until(({ events: [event] }) => event?.channel === 'news')).slice(-1);
      expect(told!.events[0]).toMatchObject({ channel: 'news' });
      expect(lines.map(({ msg }) => msg)).not.toContain(FAILS);
    },
  );

  test.each([408, 425, 429, 500, 502, 503, 504])(
    'with %i make the receiver fail, and the next request is for what has not failed',
    async (code) => {
      const receiver = await startReceiver();
      receiver.reply = only('bad', status(code));
      const { tell, lines } = start([receiver.url()], { random: Math.random });
      await tell(...BAD);
      await expect.poll(() => lines.map(({ msg }) => msg)).toContain(FAILS);
      const before = receiver.posted.length;
      await tell('news');
      const after = () => receiver.posted.slice(before).map(({ events: [event] }) => event?.channel);
      await expect.poll(after).toContain('news');
      // What was in flight when it began to fail comes before, and nothing else does.
      expect(after().indexOf('news')).toBeLessThanOrEqual(8);
    },
  );

  test('of another app, which has the same URL, are not its business', async () => {
    const receiver = await startReceiver();
    receiver.reply = only('bad', status(503));
    const { tell, tellHooksOf, lines } = start([receiver.url()], {
      random: Math.random,
      others: [OTHER_APP],
    });
    await tell(...BAD);
    await expect.poll(() => lines.map(({ msg }) => msg)).toContain(FAILS);
    const beganAt = runningTime();
    await tellHooksOf(OTHER_APP, ...Array.from({ length: 20 }, (_, n) => `news-${n}`));
    const news = () => receiver.posted.filter(({ events: [event] }) => event?.channel?.startsWith('news'));
    await expect.poll(() => news().length).toBe(20);
    for (const { headers } of news()) expect(headers['x-pusher-key']).toBe(OTHER_APP.key);
    expect(runningTime() - beganAt).toBeLessThan(5000);
  });

  test('with Retry-After leave the receiver alone for so long', async () => {
    const receiver = await startReceiver();
    receiver.reply = status(503, { 'Retry-After': '2' });
    const { tell, lines } = start([receiver.url()], { random: Math.random });
    await tell(...BAD);
    await expect.poll(() => lines.map(({ msg }) => msg)).toContain(FAILS);
    const failsSince = performance.now();
    const before = receiver.posted.length;
    expect(before).toBeLessThanOrEqual(13);
    await expect.poll(() => receiver.posted.length).toBeGreaterThan(13);
    expect(performance.now() - failsSince).toBeGreaterThan(1500);
  });
});

test('no attempt begins after the time to retry, also where a receiver that fails kept it waiting', async () => {
  const receiver = await startReceiver();
  receiver.reply = status(503);
  const { tell, list } = start([receiver.url()], { random: Math.random, retryMs: 3000 });
  await tell(...BAD.slice(0, 8));
  await expect.poll(() => list('dead')).toHaveLength(8);
  const dead = await list('dead');
  const waited = dead.map(({ attempts }) => {
    const sent = attempts.filter((attempt) => attempt.status !== null);
    return sent.at(-1)!.at - sent[0]!.at;
  });
  expect(Math.max(...waited)).toBeLessThanOrEqual(3000);
  expect(dead.flatMap(({ attempts }) => attempts)).toContainEqual(
    expect.objectContaining({ status: null, answer: 'not sent: it was due after the time to retry' }),
  );
});

describe('the end', () => {
  test('waits for what is in flight, and begins nothing more', async () => {
    const receiver = await startReceiver();
    let answer = (): void => {};
    receiver.reply = (response, posted) => {
      answer = () => ok(response, posted);
    };
    const { tell, dispatcher, list } = start([receiver.url()], { timeoutMs: 5000 });
    await tell('a', 'a');
    await receiver.next();
    const closed = dispatcher.close();
    answer();
    await closed;
    expect((await list('pending')).map(({ events }) => Number(JSON.parse(events).seq))).toEqual([2]);
    expect(receiver.posted).toHaveLength(1);
  });

  test('too many that wait are counted and logged', async () => {
    const receiver = await startReceiver();
    receiver.reply = () => {};
    const { tell, metrics, lines, list } = start([receiver.url()], { maxPending: 2 });
    await tell('a', 'a', 'a');
    expect([(await list('pending')).length, (await list('dead')).length, metrics.webhookDeadLetters]).toEqual(
      [2, 1, 1],
    );
    expect(lines).toContainEqual(
      expect.objectContaining({
        msg: 'webhook deliveries become dead letters: too many wait',
        hook: 'hook-0',
      }),
    );
  });
});

test('lanes that have lost all to dead letters are forgotten, and those that have not go on', async () => {
  const receiver = await startReceiver();
  let fails = true;
  receiver.reply = (response, posted) => (fails ? status(500) : ok)(response, posted);
  const { tell, list, waiting } = start([receiver.url()], { maxPending: 10 });
  for (let n = 0; n < 100; n += 1) await tell(`channel-${n}`);
  await receiver.next();
  fails = false;
  await expect.poll(waiting).toBe(0);
  const arrived = new Set(receiver.posted.map(({ events: [event] }) => event?.channel));
  expect(arrived).toContain('channel-99');
  expect((await list('dead')).length).toBe(10);
});

describe('where a webhook may go', () => {
  test.each(['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', '0.0.0.0'])(
    'not to http://%s, unless any address is allowed',
    async (host) => {
      const receiver = await startReceiver();
      const { port } = new URL(receiver.url());
      const { tell, list, metrics } = start([`http://${host}:${port}/`], { addresses: 'public' });
      await tell('a');
      await expect
        .poll(() => list('failing'))
        .toMatchObject([
          {
            attempts: [
              { status: null, answer: 'the address is not public, and webhookAddresses is "public"' },
            ],
          },
        ]);
      expect(metrics.webhookAttempts.get('forbidden')).toBe(1);
      expect(receiver.posted).toEqual([]);
    },
  );

  test.each([
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '0.0.0.0',
    '100.100.100.200',
    '161.26.0.10',
    '166.9.58.64',
    '168.63.129.16',
    '192.0.0.192',
    'fd00:ec2::254',
    'fe80::a9fe:a9fe',
    '::a9fe:a9fe',
    '::ffff:168.63.129.16',
    '::ffff:0:a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::a9fe:a9fe',
    '2001:0:a9fe:a9fe::1',
    '2002:a9fe:a9fe::1',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::a00:1',
    'fe80::1',
    'fc00::1',
    'fd12::1',
    'ff02::1',
    '2001:db8::1',
    '2002:a00:1::',
    '2001::1',
    'localhost',
    '',
  ])('%s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each([
    '8.8.8.8',
    '1.1.1.1',
    '161.25.255.255',
    '168.63.129.15',
    '168.63.129.17',
    '172.15.0.1',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700::1111',
    '2a00:1450:4001::1',
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

test('pauses double from a second to ten minutes, and half of each is chance', () => {
  expect([1, 2, 3, 10, 11, 1000].map((tries) => backoffMs(tries, 1))).toEqual([
    1000, 2000, 4000, 512_000, 600_000, 600_000,
  ]);
  expect([backoffMs(1, 0), backoffMs(3, 0.5)]).toEqual([500, 3000]);
  const range = { firstMs: 50, mostMs: 2000 };
  expect([1, 2, 7, 1000].map((tries) => backoffMs(tries, 1, range))).toEqual([50, 100, 2000, 2000]);
});
