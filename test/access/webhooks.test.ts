/** What webhooks say of grants. */
import { expect, test } from 'vitest';
import { startReceiver } from '../helpers/brokers/receiver.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { granted, inSeconds } from '../helpers/clients/grants.ts';

test('the end of a grant is the reason of what it ends, and claims are nowhere', {
  timeout: 30_000,
}, async () => {
  const receiver = await startReceiver();
  const events = ['member_added', 'member_removed', 'channel_vacated', 'user_offline', 'grant_expired'];
  const broker = await startServer({
    config: { webhookGraceSeconds: 0 },
    app: { webhooks: [{ url: receiver.url(), events }] },
  });
  const told = async (count: number) => {
    const found = [];
    for (let n = 0; n < count; n += 1) found.push(...(await receiver.next()).events);
    return found.sort((a, b) => a.seq - b.seq);
  };
  const client = await connect(broker);
  const { socketId: socket_id } = client;
  const claims = { id: 'g-1', exp: inSeconds(1), user: 'ann' };
  await client.join('presence-room', granted(claims, { user_id: 'ann' }));
  const room = await told(4);
  expect(room.filter(({ name }) => name !== 'grant_expired')).toMatchObject([
    { name: 'member_added', channel: 'presence-room', user_id: 'ann' },
    { name: 'member_removed', channel: 'presence-room', user_id: 'ann', reason: 'expired', socket_id },
    { name: 'channel_vacated', channel: 'presence-room', reason: 'expired' },
  ]);
  const expired = { name: 'grant_expired', user_id: 'ann', grant_id: 'g-1', socket_id, reason: 'expired' };
  expect(room).toContainEqual(expect.objectContaining({ ...expired, channel: 'presence-room' }));
  for (const [index, { rawBody }] of receiver.posted.entries())
    expect(rawBody, String(index)).not.toMatch(/"countersign"|may|"exp"/);

  await client.signIn({ id: 'ann', countersign: { id: 'g-2', exp: inSeconds(1) } });
  await client.join('#server-to-user-ann');
  const signOut = await told(2);
  const channel = '#server-to-user-ann';
  expect(signOut).toContainEqual(expect.objectContaining({ ...expired, channel, grant_id: 'g-2' }));
  expect(signOut).toContainEqual(
    expect.objectContaining({ name: 'user_offline', reason: 'expired', socket_id }),
  );
});
