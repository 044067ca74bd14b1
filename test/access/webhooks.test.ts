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
  const broker = await startServer({
    config: { webhookGraceSeconds: 0 },
    app: {
      webhooks: [{ url: receiver.url(), events: ['member_added', 'member_removed', 'channel_vacated'] }],
    },
  });
  const client = await connect(broker);
  const claims = { id: 'g-1', exp: inSeconds(1), user: 'ann' };
  await client.join('presence-room', granted(claims, { user_id: 'ann' }));
  const posted = [await receiver.next(), await receiver.next(), await receiver.next()];
  expect(posted.flatMap(({ events }) => events)).toMatchObject([
    { name: 'member_added', user_id: 'ann' },
    { name: 'member_removed', user_id: 'ann', reason: 'expired', socket_id: client.socketId },
    { name: 'channel_vacated', channel: 'presence-room', reason: 'expired' },
  ]);
  for (const { rawBody } of posted) expect(rawBody).not.toMatch(/g-1|countersign/);
});
