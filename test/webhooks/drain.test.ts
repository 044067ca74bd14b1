import { describe, expect, test } from 'vitest';
import { ok, type Reply, startReceiver, status, type WebhookReceiver } from '../helpers/brokers/receiver.ts';
import { type ServerSettings, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';
import { recordLog } from '../helpers/log.ts';
import { runningTime } from '../helpers/running-time.ts';

const EVENTS = ['channel_occupied', 'channel_vacated', 'member_added', 'member_removed', 'client_event'];
const CHANNELS = Array.from({ length: 10 }, (_, n) => `private-${n}`);

const settingsFor = (
  receiver: WebhookReceiver,
  { config, ...settings }: ServerSettings = {},
): ServerSettings => ({
  ...settings,
  config: { drainWindowSeconds: 0, webhookGraceSeconds: 3, ...config },
  app: { webhooks: [{ url: receiver.url(), events: EVENTS }] },
});

async function start(receiver: WebhookReceiver, settings?: ServerSettings) {
  const { log, lines } = recordLog();
  const broker = await startServer(settingsFor(receiver, { ...settings, parts: { log } }));
  return { broker, lines };
}

/** Takes 300 ms for each request. */
const slowly: Reply = (response, posted) => void setTimeout(() => ok(response, posted), 300);

const names = ({ posted }: WebhookReceiver): string[] =>
  posted.flatMap(({ events }) =>
    events.map(({ name, channel, user_id = '' }) => `${name} ${channel} ${user_id}`.trim()),
  );
const lost = { msg: 'webhook deliveries are lost: they were not taken in time' };
const kept = { msg: 'webhook deliveries wait for the next start' };

describe('a broker that drains and keeps webhooks in memory', () => {
  test('delivers what waits at a slow receiver, and the events of connections that end meanwhile', async () => {
    const receiver = await startReceiver();
    receiver.reply = slowly;
    const { broker, lines } = await start(receiver);
    const client = await connect(broker);
    for (const channel of CHANNELS) await client.join(channel);
    for (const channel of CHANNELS) client.trigger(channel, 'client-typing', '1');
    await client.nothing();
    await broker.drain();
    for (const name of ['channel_occupied', 'client_event', 'channel_vacated']) {
      expect(
        names(receiver)
          .filter((each) => each.startsWith(name))
          .toSorted(),
      ).toEqual(CHANNELS.map((channel) => `${name} ${channel}`).toSorted());
    }
    expect(lines).not.toContainEqual(expect.objectContaining(lost));
  });

  test('tells of those who had left and were waited for, and of those who were there', async () => {
    const receiver = await startReceiver();
    const { broker } = await start(receiver, { config: { webhookGraceSeconds: 3600 } });
    const [ann, bob] = [await connect(broker), await connect(broker)];
    await ann.join('presence-room', { user_id: 'ann' });
    await bob.join('presence-room', { user_id: 'bob' });
    ann.unsubscribe('presence-room');
    await ann.nothing();
    await broker.drain();
    expect(names(receiver)).toEqual([
      'channel_occupied presence-room',
      'member_added presence-room ann',
      'member_added presence-room bob',
      'member_removed presence-room ann',
      'member_removed presence-room bob',
      'channel_vacated presence-room',
    ]);
  });

  test('tries again what fails, as long as there is time', async () => {
    const receiver = await startReceiver();
    let failures = 3;
    receiver.reply = (response, posted) => {
      failures -= 1;
      (failures >= 0 ? status(503) : ok)(response, posted);
    };
    const { broker, lines } = await start(receiver);
    const client = await connect(broker);
    await client.join('news');
    await broker.drain();
    expect(names(receiver).slice(-2)).toEqual(['channel_occupied news', 'channel_vacated news']);
    expect(lines).not.toContainEqual(expect.objectContaining(lost));
  });

  test.each<[string, Reply]>([
    ['hangs', () => {}],
    ['fails', status(503)],
  ])('ends in time where a receiver %s, and says how many deliveries are lost', async (_, reply) => {
    const receiver = await startReceiver();
    receiver.reply = reply;
    const { broker, lines } = await start(receiver, { config: { drainTimeoutSeconds: 2 } });
    const client = await connect(broker);
    for (const channel of CHANNELS) await client.join(channel);
    const beganAt = runningTime();
    await broker.drain();
    expect(runningTime() - beganAt).toBeLessThan(4000);
    expect(lines.filter(({ msg }) => msg === lost.msg)).toMatchObject([{ deliveries: 2 * CHANNELS.length }]);
  });
});

describe('a broker that drains and keeps webhooks on disk', () => {
  test('delivers what it can, leaves the rest to the next start, and says so', async () => {
    const receiver = await startReceiver();
    receiver.reply = (response, posted) =>
      (posted.events[0]?.channel === 'private-0' ? status(503) : slowly)(response, posted);
    const config = { data: newFolder(), webhookRestartGraceSeconds: 0 };
    const { broker, lines } = await start(receiver, { config });
    const client = await connect(broker);
    for (const channel of CHANNELS) await client.join(channel);
    await broker.drain();
    expect(new Set(names(receiver))).toEqual(
      new Set(CHANNELS.map((channel) => `channel_occupied ${channel}`)),
    );
    expect(lines.filter(({ msg }) => msg === kept.msg)).toMatchObject([{ deliveries: 1 }]);

    receiver.reply = ok;
    await start(receiver, { config });
    const told = () => names(receiver).filter((name) => name.endsWith(' private-0'));
    await expect.poll(told).toContain('channel_vacated private-0');
    expect(told().slice(-2)).toEqual(['channel_occupied private-0', 'channel_vacated private-0']);
  });
});

test('the parent of workers delivers what waits, once they have ended', async () => {
  const receiver = await startReceiver();
  receiver.reply = slowly;
  const group = await startWorkers(settingsFor(receiver));
  const client = await connect(group);
  for (const channel of CHANNELS) await client.join(channel);
  group.cli.signal('SIGTERM');
  expect(await group.cli.result()).toMatchObject({ code: 0 });
  expect(names(receiver).toSorted()).toEqual(
    ['channel_occupied', 'channel_vacated']
      .flatMap((name) => CHANNELS.map((channel) => `${name} ${channel}`))
      .toSorted(),
  );
});
