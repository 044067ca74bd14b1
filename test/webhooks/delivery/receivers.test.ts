import { describe, expect, test } from 'vitest';
import { settled, start } from '../../helpers/brokers/dispatcher.ts';
import { ok, type Reply, startReceiver, status } from '../../helpers/brokers/receiver.ts';
import { OTHER_APP } from '../../helpers/brokers/server.ts';
import { runningTime } from '../../helpers/running-time.ts';

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
