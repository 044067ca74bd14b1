import { describe, expect, test } from 'vitest';
import { ok, startReceiver, status } from '../helpers/brokers/receiver.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';
import { send, signed, startExample } from '../helpers/http.ts';
import { app, TIMESTAMP } from '../packages/vectors.ts';

// The clock of a machine is set back or forward by its time service, or when a virtual machine is restored.
describe.each([
  ['an hour back', -3_600_000],
  ['an hour forward', 3_600_000],
])('a clock that is set %s', (_direction, stepMs) => {
  async function startSteppable(settings: Readonly<Record<string, unknown>> = {}) {
    const clock = { now: TIMESTAMP * 1000, monotonic: 5000 };
    const parts = { now: () => clock.now, monotonic: () => clock.monotonic };
    const broker = await startExample({ app: settings, parts });
    const proof = () => ({ auth_timestamp: String(Math.floor(clock.now / 1000)) });
    const ask = (path: string, query = {}) =>
      send(broker, signed({ path: `/apps/${app.id}/${path}`, query, proof: proof() }));
    const tell = (path: string, body: object) =>
      send(broker, signed({ path: `/apps/${app.id}/${path}`, body: JSON.stringify(body), proof: proof() }));
    return { clock, ask, tell };
  }

  test('neither ends a rate window nor makes it last', async () => {
    const { clock, ask } = await startSteppable({ limits: { httpRequestsPerSecond: 2 } });
    expect([(await ask('channels')).status, (await ask('channels')).status]).toEqual([200, 200]);
    clock.now += stepMs;
    expect(await ask('channels')).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    clock.monotonic += 1000;
    expect(await ask('channels')).toMatchObject({ status: 200 });
  });

  test('neither delays the next attempt of a webhook nor gives it up', async () => {
    const receiver = await startReceiver();
    receiver.reply = status(503);
    const webhooks = [{ url: receiver.url(), events: ['channel_occupied'] }];
    const clock = { now: Date.now() };
    const broker = await startServer({
      app: { webhooks },
      config: { webhookRetrySeconds: 600 },
      parts: { now: () => clock.now },
    });
    await (await connect(broker)).join('news');
    await expect.poll(() => receiver.posted.length).toBe(1);
    clock.now += stepMs;
    receiver.reply = ok;
    await expect.poll(() => receiver.posted.length).toBe(2);
  });

  test('neither delays nor gives up a webhook that waits on the disk for the next start', async () => {
    const receiver = await startReceiver();
    receiver.reply = status(503);
    const webhooks = [{ url: receiver.url(), events: ['channel_occupied'] }];
    const settings = { app: { webhooks }, config: { data: newFolder() } };
    const first = await startServer({ ...settings, parts: { now: () => Date.now() - 2 * stepMs } });
    await (await connect(first)).join('news');
    await expect.poll(() => receiver.posted.length).toBeGreaterThan(0);
    await first.close();
    const before = receiver.posted.length;
    receiver.reply = ok;
    await startServer(settings);
    await expect.poll(() => receiver.posted.length).toBeGreaterThan(before);
  });

  test('neither forgets a kept event nor makes it last', async () => {
    const { clock, ask, tell } = await startSteppable({ cacheSeconds: 60 });
    const kept = async () => JSON.parse((await ask('channels/cache-a', { info: 'cache' })).text).cache;
    await tell('events', { name: 'e', channel: 'cache-a', data: 'x' });
    clock.now += stepMs;
    clock.monotonic += 59_000;
    expect(await kept()).toEqual({ data: 'x', ttl: 1 });
    clock.monotonic += 1000;
    expect(await kept()).toBeNull();
  });
});
