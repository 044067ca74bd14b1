import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { backoffMs } from '#server/async/backoff';
import { first, settled, start } from '../../helpers/brokers/dispatcher.ts';
import { ok, type Reply, startReceiver, status } from '../../helpers/brokers/receiver.ts';

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

test('pauses double from a second to ten minutes, and half of each is chance', () => {
  expect([1, 2, 3, 10, 11, 1000].map((tries) => backoffMs(tries, 1))).toEqual([
    1000, 2000, 4000, 512_000, 600_000, 600_000,
  ]);
  expect([backoffMs(1, 0), backoffMs(3, 0.5)]).toEqual([500, 3000]);
  const range = { firstMs: 50, mostMs: 2000 };
  expect([1, 2, 7, 1000].map((tries) => backoffMs(tries, 1, range))).toEqual([50, 100, 2000, 2000]);
});
