import { Countersign, type Webhook, type WebhookEvent } from '@countersign/sdk-server';
import { webhookRouter } from '@countersign/sdk-server/express';
import express from 'express';
import { expect, test } from 'vitest';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { listen } from '../helpers/brokers/recorder.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { Inbox } from '../helpers/clients/event-inbox.ts';

const HOOK = 'hook-1';

/** A broker that tells a receiver of ours; `fail` makes the receiver fail from now on, or work again. */
async function start(app: object = {}) {
  const received = new Inbox<readonly WebhookEvent[]>('a webhook');
  const handled = new Set<string>();
  const state = { client: undefined as Countersign | undefined, isBroken: false };
  const onEvents = (events: readonly WebhookEvent[], { id }: Webhook) => {
    if (state.isBroken) throw new Error('the database is on fire');
    handled.add(id);
    received.put(events);
  };
  const receiver = express().use('/webhooks', (req, res, next) => {
    const options = { onEvents, seen: (id: string) => handled.has(id), logger };
    webhookRouter(state.client!, options)(req, res, next);
  });
  const url = `http://127.0.0.1:${await listen(receiver)}/webhooks`;
  const events = ['channel_occupied', 'member_added', 'user_online'];
  const broker = await startServer({ app: { webhooks: [{ id: HOOK, url, events }], ...app } });
  const countersign = countersignFor(broker);
  state.client = countersign;
  const fail = (isBroken: boolean) => {
    state.isBroken = isBroken;
  };
  const occupy = async (channel: string) => (await connect(broker)).join(channel);
  return { broker, countersign, received, occupy, fail, state };
}

const logger = { info() {}, warn() {}, error() {} };

test('webhookRouter believes the broker, and hands on what happened', async () => {
  const { broker, countersign, received } = await start();
  const ann = await connect(broker);
  await ann.signIn({ id: 'ann' });
  await ann.join('presence-a', { user_id: 'ann' });
  const happened = [await received.next(), await received.next(), await received.next()].flat();
  const expected = [
    { name: 'user_online', user_id: 'ann' },
    { name: 'channel_occupied', channel: 'presence-a' },
    { name: 'member_added', channel: 'presence-a', user_id: 'ann' },
  ];
  const origin = { id: expect.any(String), at: expect.any(Number), socket_id: ann.socketId };
  expect(happened.sort((a, b) => a.seq! - b.seq!)).toMatchObject(
    expected.map((event, index) => ({ ...event, ...origin, seq: index + 1 })),
  );
  expect(await countersign.webhooks.events(1)).toMatchObject({ events: expected.slice(1), last_seq: 3 });
  expect((await countersign.webhooks.events(0, 1)).events).toMatchObject(expected.slice(0, 1));
});

test('a hook is listed, tested, paused and resumed', async () => {
  const { countersign, received, occupy } = await start();
  const { webhooks } = countersign;
  expect(await webhooks.list()).toEqual([
    {
      id: HOOK,
      url: expect.stringMatching(/^http/),
      events: ['channel_occupied', 'member_added', 'user_online'],
      state: 'active',
      deliveries: { pending: 0, failing: 0, dead: 0 },
    },
  ]);
  const id = await webhooks.test(HOOK);
  expect(await received.next()).toMatchObject([{ name: 'test', id }]);
  await webhooks.pause(HOOK);
  await occupy('a');
  expect(await webhooks.list()).toMatchObject([{ state: 'paused', deliveries: { pending: 1 } }]);
  expect(await webhooks.deliveries(HOOK)).toMatchObject({
    deliveries: [{ lane: 'a', state: 'pending', tries: 0 }],
  });
  await webhooks.resume(HOOK);
  expect(await received.next()).toMatchObject([{ name: 'channel_occupied', channel: 'a' }]);
});

test('what fails is seen with its attempts, and sent again or skipped', async () => {
  const { countersign, received, occupy, fail } = await start();
  const { webhooks } = countersign;
  fail(true);
  await occupy('a');
  await occupy('b');
  await expect.poll(async () => (await webhooks.list())[0]?.deliveries.failing).toBe(2);
  const { deliveries } = await webhooks.deliveries(HOOK, { state: 'failing' });
  const [first, second] = deliveries;
  expect(first?.attempts[0]).toMatchObject({ status: 500, answer: expect.stringMatching(/internal_error/) });
  const page = await webhooks.deliveries(HOOK, { state: 'failing', limit: 1 });
  expect(page.deliveries).toHaveLength(1);
  const rest = await webhooks.deliveries(HOOK, { state: 'failing', limit: 1, cursor: page.cursor! });
  expect(rest.deliveries[0]?.id).toBe(second?.id);

  expect(await webhooks.skip(HOOK, { deliveries: [first!.id] })).toBe(1);
  fail(false);
  expect(await webhooks.retry(HOOK, { state: 'failing' })).toBe(1);
  expect(await received.next()).toEqual(second!.events);
  await expect(webhooks.pause('no-such-hook')).rejects.toThrow(expect.objectContaining({ status: 404 }));
});

test('while keys are being changed, a receiver needs both', async () => {
  const newer = { key: 'key-2', secret: 'secret-2' };
  const older = { key: APP.key, secret: APP.secret };
  const { broker, received, occupy, state } = await start({ keys: [older, newer] });
  const options = { appId: APP.id, ...newer, port: broker.port };
  state.client = new Countersign(options);
  await occupy('a');
  await expect
    .poll(async () => (await countersignFor(broker).webhooks.list())[0]?.deliveries.failing)
    .toBe(1);
  state.client = new Countersign({ ...options, additionalKeys: [older] });
  await state.client.webhooks.retry(HOOK, { state: 'failing' });
  expect(await received.next()).toMatchObject([{ name: 'channel_occupied', channel: 'a' }]);
});
