import { describe, expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import {
  type ReceivedEvent,
  readEvents,
  startReceiver,
  type WebhookReceiver,
} from '../helpers/brokers/receiver.ts';
import { APP } from '../helpers/brokers/server.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';

/** A configuration whose broker tells the receiver everything and keeps it. */
function configFor(
  receiver: WebhookReceiver,
  { app, hook, ...settings }: Record<string, object | number> = {},
) {
  const events = [
    'channel_occupied',
    'channel_vacated',
    'member_added',
    'member_removed',
    'client_event',
    'user_online',
    'user_offline',
  ];
  return {
    host: '127.0.0.1',
    port: 0,
    drainWindowSeconds: 0,
    data: newFolder(),
    webhookRestartGraceSeconds: 1,
    ...settings,
    apps: [
      {
        id: APP.id,
        keys: [{ key: APP.key, secret: APP.secret }],
        webhooks: [{ url: receiver.url(), events, ...(hook as object) }],
        ...(app as object),
      },
    ],
  };
}

/** All events that the broker has committed. */
async function committed({ broker }: MortalBroker): Promise<ReceivedEvent[]> {
  const events: ReceivedEvent[] = [];
  for (;;) {
    const query = { after_seq: String(events.length), limit: '1000' };
    const { body } = await request(broker, 'GET', '/webhook_events', { query });
    const page = body as { events: unknown; last_seq: number };
    events.push(...readEvents(page.events));
    if (events.length === page.last_seq) return events;
  }
}

/** Waits until everything is delivered, and the outbox knows it. */
async function delivered({ broker }: MortalBroker): Promise<void> {
  await expect
    .poll(async () => (await request(broker, 'GET', '/webhooks')).body)
    .toMatchObject({ webhooks: [{ deliveries: { pending: 0, failing: 0, dead: 0 } }] });
}

const CHANNELS = Array.from({ length: 20 }, (_, n) => `private-${n}`);
const EVENTS = 5000;

/** Joins all channels, and publishes until all is published or the broker is gone. */
class Talker {
  #sent = 0;
  #client: TestClient | undefined;

  async connect({ broker }: MortalBroker): Promise<void> {
    const client = await connect(broker);
    for (const channel of CHANNELS) await client.join(channel);
    this.#client = client;
  }

  get isDone(): boolean {
    return this.#sent >= EVENTS;
  }

  async talk(): Promise<void> {
    const client = this.#client;
    try {
      while (client && !this.isDone) {
        for (let n = 0; n < 100; n += 1) {
          client.trigger(CHANNELS[this.#sent % CHANNELS.length]!, 'client-n', String(this.#sent));
          this.#sent += 1;
        }
        await client.nothing();
      }
    } catch {
      // The broker is gone.
    }
  }
}

describe('kill -9', () => {
  test('in the middle of 5,000 events loses none that was committed, and doubles none under another id', async () => {
    const receiver = await startReceiver();
    const limits = { clientEventsPerSecond: 100_000, framesPerSecond: 100_000 };
    const config = configFor(receiver, {
      app: { limits },
      hook: { events: ['client_event'], maxEvents: 5 },
    });
    const count = () => receiver.posted.reduce((sum, { events }) => sum + events.length, 0);
    const talker = new Talker();
    const shown: string[] = [];

    for (const enough of [300, 2500]) {
      const mortal = await MortalBroker.start(config);
      const listener = await connect(mortal.broker);
      for (const channel of CHANNELS) await listener.join(channel);
      listener.socket.on('message', (frame) => {
        const { event, data } = JSON.parse(frame.toString());
        if (event === 'client-n') shown.push(data);
      });
      await talker.connect(mortal);
      const talked = talker.talk();
      await receiver.until(() => count() >= enough);
      await mortal.end('SIGKILL');
      await talked;
    }
    const mortal = await MortalBroker.start(config);
    await talker.connect(mortal);
    await talker.talk();
    expect(talker.isDone).toBe(true);

    const log = await committed(mortal);
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, n) => n + 1));
    const known = new Set(log.map(({ data }) => data));
    expect(shown.filter((data) => !known.has(data))).toEqual([]);

    const arrived = () => new Set(receiver.posted.flatMap(({ events }) => events.map(({ seq }) => seq)));
    await expect.poll(() => arrived().size).toBe(log.length);
    const ids = new Map(log.map(({ seq, id }) => [seq, id]));
    const contents = new Map<unknown, string>();
    const last = new Map<unknown, number>();
    for (const { events, headers } of receiver.posted) {
      for (const { seq, id } of events) expect(id).toBe(ids.get(seq));
      const id = headers['webhook-id'];
      const content = JSON.stringify(events);
      expect(contents.get(id) ?? content).toBe(content);
      const isAgain = contents.has(id) || events.every(({ seq, channel }) => seq <= (last.get(channel) ?? 0));
      contents.set(id, content);
      for (const { seq, channel } of isAgain ? [] : events) {
        expect(seq).toBeGreaterThan(last.get(channel) ?? 0);
        last.set(channel, seq);
      }
    }
  }, 60_000);

  test('before an event is written: nobody was shown it, and nobody is told', async () => {
    const receiver = await startReceiver();
    const config = configFor(receiver);
    const mortal = await MortalBroker.start(config);
    const ann = await connect(mortal.broker);
    await ann.join('presence-room', { user_id: 'ann' });
    expect([await receiver.nextEvent(), await receiver.nextEvent()].map(({ seq }) => seq)).toEqual([1, 2]);
    const bob = await connect(mortal.broker);
    await delivered(mortal);
    await mortal.dieAt('beforeWrite');
    bob.askFor('presence-room', { user_id: 'bob' });
    expect(await ann.next()).toMatchObject({ code: 1006 });
    await mortal.ended();

    const next = await MortalBroker.start(config);
    await (await connect(next.broker)).join('presence-room', { user_id: 'bob' });
    expect(await receiver.nextEvent()).toMatchObject({ name: 'member_added', user_id: 'bob', seq: 3 });
  });

  test.each([
    ['afterWrite', 1],
    ['afterSend', 2],
    ['beforeAcknowledge', 2],
  ])('%s: the event arrives, under one id', async (step, most) => {
    const receiver = await startReceiver();
    const config = configFor(receiver, { hook: { events: ['channel_occupied'] } });
    const mortal = await MortalBroker.start(config);
    await mortal.dieAt(step);
    const ann = await connect(mortal.broker);
    ann.subscribe('news');
    await mortal.ended();

    const next = await MortalBroker.start(config);
    await delivered(next);
    expect(receiver.posted.length).toBeGreaterThanOrEqual(1);
    expect(receiver.posted.length).toBeLessThanOrEqual(most);
    expect(new Set(receiver.posted.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    for (const { events } of receiver.posted)
      expect(events).toMatchObject([{ name: 'channel_occupied', seq: 1 }]);
  });
});

describe('the next process', () => {
  test.each(['SIGKILL', 'SIGTERM'] as const)(
    'tells of those who do not come back after %s, and not of those who do',
    async (signal) => {
      const receiver = await startReceiver();
      const config = configFor(receiver, { webhookRestartGraceSeconds: 2 });
      const mortal = await MortalBroker.start(config);
      for (const name of ['ann', 'bob']) {
        const client = await connect(mortal.broker);
        await client.signIn({ id: name });
        await client.join(`presence-${name}`, { user_id: name });
      }
      for (let told = 0; told < 6; told += 1) await receiver.next();
      await delivered(mortal);
      await mortal.end(signal);

      const next = await MortalBroker.start(config);
      const ann = await connect(next.broker);
      await ann.signIn({ id: 'ann' });
      await ann.join('presence-ann', { user_id: 'ann' });
      const gone = [await receiver.nextEvent(), await receiver.nextEvent(), await receiver.nextEvent()];
      expect(gone.map(({ seq }) => seq)).toEqual([7, 8, 9]);
      expect(gone.map(({ name, channel, user_id }) => [name, channel, user_id])).toEqual(
        expect.arrayContaining([
          ['user_offline', '#server-to-user-bob', 'bob'],
          ['member_removed', 'presence-bob', 'bob'],
          ['channel_vacated', 'presence-bob', undefined],
        ]),
      );
      expect(gone.map(({ reason }) => reason)).toEqual(['disconnected', 'disconnected', 'disconnected']);
      const names = gone.map(({ name }) => name);
      expect(names.indexOf('member_removed')).toBeLessThan(names.indexOf('channel_vacated'));
      // Whatever else were told of Ann would have come by now.
      await ann.join('private-marker');
      expect(await receiver.nextEvent()).toMatchObject({ channel: 'private-marker', seq: 10 });
    },
  );

  test('is handed removals whose grace was not over', async () => {
    const receiver = await startReceiver();
    const config = configFor(receiver, { webhookGraceSeconds: 3 });
    const mortal = await MortalBroker.start(config);
    const ann = await connect(mortal.broker);
    await ann.join('news');
    expect(await receiver.nextEvent()).toMatchObject({ name: 'channel_occupied' });
    ann.unsubscribe('news');
    await ann.nothing();
    await delivered(mortal);
    await mortal.end('SIGTERM');
    await MortalBroker.start(config);
    expect(await receiver.nextEvent()).toMatchObject({ name: 'channel_vacated', channel: 'news', seq: 2 });
    expect(receiver.posted).toHaveLength(2);
  });
});
