/** A replay of what was missed ends with the right to read it. */
import { expect, test } from 'vitest';
import { publishBatch } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { granted, inSeconds } from '../helpers/clients/grants.ts';
import { has, revoke } from '../revocations/stage.ts';

const CHANNEL = 'private-log';
/** More than the buffers of two sockets hold. */
const EVENTS = 2000;
const data = 'x'.repeat(10_000);

test.each(['its end', 'a revocation'])('%s stops what a client has not read yet', async (what) => {
  const history = [{ channels: 'private-*', seconds: 300, messages: EVENTS, rewind: EVENTS }];
  const broker = await startServer({ app: { history } });
  for (let n = 0; n < EVENTS; n += 10)
    await publishBatch(
      broker,
      Array.from({ length: 10 }, () => ({ channel: CHANNEL, name: 'e', data })),
    );

  const client = await connect(broker);
  const exp = inSeconds(what === 'its end' ? 3 : 60);
  client.askFor(CHANNEL, granted({ exp, user: 'ann' }));
  expect(await client.next()).toContain('subscription_succeeded');
  client.socket.pause();
  if (what === 'its end')
    await expect.poll(() => Date.now(), { timeout: 10_000, interval: 50 }).toBeGreaterThan(exp * 1000 + 1000);
  else expect((await revoke(broker, { target: { user_id: 'ann' } })).body.ended.subscriptions).toBe(1);
  client.socket.resume();

  const received = await client.until(has('subscription_error'));
  expect(received.at(-1)).toContain(what === 'its end' ? 'grant_expired' : 'grant_revoked');
  expect(received.length).toBeLessThan(EVENTS);
  expect(await client.nothing()).toEqual([]);
});
