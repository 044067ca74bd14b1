import { expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { readSamples } from '../helpers/metrics.ts';

test('beyond the bound of blocks, what a user has is ended, and the answer says that they are not blocked', async () => {
  const broker = await startServer({ limits: { blocks: 1 } });
  const block = (userId: string) =>
    request(broker, 'POST', `/users/${userId}/terminate_connections`, {
      body: { reason: 'Banned', block: 600 },
    });
  const eve = await connect(broker);
  await eve.signIn({ id: 'eve' });
  expect(await block('ann')).toMatchObject({ status: 200 });
  expect(await block('eve')).toMatchObject({
    status: 409,
    body: { error: expect.stringContaining('limits.blocks') },
  });
  expect(await eve.closed()).toEqual({ code: 4009, reason: 'Banned' });
  const body = { user_id: 'eve', block: 600 };
  const removal = await request(broker, 'POST', '/channels/presence-a/subscriptions/remove', { body });
  expect(removal.status).toBe(409);
  expect(await block('ann')).toMatchObject({ status: 200 });
  const samples = await readSamples(broker.metricsUrl!);
  expect(samples.get('countersign_bounds_reached_total{bound="blocks"}')).toBe(2);
});

test('a user id with one half of a surrogate pair is refused', async () => {
  const broker = await startServer();
  const body = { user_id: '\ud800', block: 600 };
  const answer = await request(broker, 'POST', '/channels/presence-a/subscriptions/remove', { body });
  expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining('surrogate') } });
  const client = await connect(broker);
  expect(await client.join('presence-a', { user_id: '\ud800' })).toContain('surrogate');
  expect(await client.signIn({ id: 'ann', watchlist: ['bob\n'] })).toContain('watchlist must be a list');
});
