/** The receiver of docs/webhooks.md, run by Node, and sent webhooks by a broker and by others. */
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { countersignFor } from '../helpers/brokers/backend.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { startClient } from '../helpers/clients/client-start.ts';
import { freePort } from '../helpers/redis/redis.ts';
import { Program, readersFolder, snippetsOf } from '../helpers/snippets.ts';

const KEY = 'thirty-two bytes of a webhook key';
const SECRET = `whsec_${Buffer.from(KEY).toString('base64')}`;

async function startReceiver() {
  const port = await freePort();
  const cwd = readersFolder();
  const code = snippetsOf('webhooks.md').get('receiver.js') ?? '';
  writeFileSync(join(cwd, 'receiver.js'), code.replace('3000', String(port)));
  const { lines } = new Program('node', ['receiver.js'], { cwd, env: { WEBHOOK_SECRET: SECRET } });
  expect(await lines.next()).toBe('listening');
  return { url: `http://127.0.0.1:${port}/webhooks`, lines };
}

test('it says who joined and who left', async () => {
  const { url, lines } = await startReceiver();
  const broker = await startServer({
    app: { webhooks: [{ id: 'backend', url, events: ['member_added', 'member_removed'], secret: SECRET }] },
    config: { webhookGraceSeconds: 0 },
  });
  const countersign = countersignFor(broker);
  const client = startClient(broker as never, {
    channelAuthorization: {
      customHandler: async ({ socketId, channelName }) =>
        countersign.authorizeChannel(socketId, channelName, { user_id: 'ann' }),
    },
  });
  await client.subscribe('presence-room').ready;
  expect(await lines.next()).toBe('ann joined presence-room');
  client.unsubscribe('presence-room');
  expect(await lines.next()).toBe('ann left presence-room: unsubscribed');
});

test('an event that comes again is handled once, and what the broker did not sign is refused', async () => {
  const { url, lines } = await startReceiver();
  const send = async (id: string, user: string, key = KEY) => {
    const event = { name: 'member_added', channel: 'presence-room', user_id: user, id, at: '1', seq: '1' };
    const body = JSON.stringify({ time_ms: Date.now(), events: [event] });
    const sentAt = String(Math.floor(Date.now() / 1000));
    const signature = createHmac('sha256', key).update(`msg.${sentAt}.${body}`).digest('base64');
    const headers = {
      'content-type': 'application/json',
      'webhook-id': 'msg',
      'webhook-timestamp': sentAt,
      'webhook-signature': `v1,${signature}`,
    };
    return (await fetch(url, { method: 'POST', headers, body })).status;
  };
  expect(await send('event-1', 'ann')).toBe(204);
  expect(await send('event-1', 'ann')).toBe(204);
  expect(await send('event-2', 'bob', APP.secret)).toBe(401);
  expect((await fetch(url)).status).toBe(401);
  expect(await send('event-3', 'cy')).toBe(204);
  expect(await lines.next()).toBe('ann joined presence-room');
  expect(await lines.next()).toBe('cy joined presence-room');
});
