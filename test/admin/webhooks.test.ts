/** Webhooks over the admin API. */
import { createServer, parseConfig } from '@countersign/server';
import { expect, onTestFinished, test } from 'vitest';
import { admin, OWNER } from '../helpers/admin.ts';
import { newFolder } from '../helpers/folder.ts';

const HOOK = {
  url: 'https://example.com/hook',
  events: ['member_added'],
  headers: { 'X-Token': 'a token of ours' },
};

async function startWithShop() {
  const broker = await createServer(
    parseConfig({ port: 0, data: newFolder(), drainWindowSeconds: 0, admin: { token: OWNER } }),
  );
  onTestFinished(() => broker.close());
  await admin(broker, 'POST', '/apps', { body: { id: 'shop' } });
  return broker;
}

test('a webhook is made with a secret, shown masked, changed and removed', async () => {
  const broker = await startWithShop();
  const made = await admin(broker, 'POST', '/apps/shop/webhooks', { body: { id: 'h1', ...HOOK } });
  expect(made).toMatchObject({
    status: 201,
    body: {
      id: 'h1',
      url: HOOK.url,
      headers: { 'X-Token': '***' },
      secret: expect.stringMatching(/^whsec_/),
    },
  });
  const twice = await admin(broker, 'POST', '/apps/shop/webhooks', { body: { id: 'h1', ...HOOK } });
  expect(twice).toMatchObject({ status: 409, body: { code: 'webhook_exists' } });
  const listed = await admin(broker, 'GET', '/apps/shop/webhooks');
  expect(listed.body.webhooks).toEqual([
    {
      id: 'h1',
      url: HOOK.url,
      events: ['member_added'],
      headers: { 'X-Token': '***' },
      maxEvents: 1,
      maxDelayMs: 0,
      secrets: [{ id: expect.any(String), created_at: expect.any(Number), ends_at: null }],
      created_at: expect.any(Number),
    },
  ]);
  const changed = await admin(broker, 'PATCH', '/apps/shop/webhooks/h1', { body: { maxEvents: 10 } });
  expect(changed).toMatchObject({ status: 200, body: { maxEvents: 10, url: HOOK.url } });
  const headers = await admin(broker, 'PATCH', '/apps/shop/webhooks/h1', {
    body: { maxEvents: null, headers: { 'X-Token': null, 'X-Other': 'text' } },
  });
  expect(headers).toMatchObject({ status: 200, body: { maxEvents: 1 } });
  expect(headers.body.headers).toEqual({ 'X-Other': '***' });
  const wrong = await admin(broker, 'PATCH', '/apps/shop/webhooks/h1', {
    body: { secret: null },
  });
  expect(wrong).toMatchObject({ status: 400, body: { errors: [{ path: 'secret' }] } });
  expect((await admin(broker, 'DELETE', '/apps/shop/webhooks/h1')).status).toBe(204);
  expect(await admin(broker, 'DELETE', '/apps/shop/webhooks/h1')).toMatchObject({
    status: 404,
    body: { code: 'webhook_not_found' },
  });
});

test('the keys of the app sign for a webhook whose secret is null', async () => {
  const broker = await startWithShop();
  const made = await admin(broker, 'POST', '/apps/shop/webhooks', { body: { ...HOOK, secret: null } });
  expect(made.body).not.toHaveProperty('secret');
  expect(made.body.secrets).toEqual([]);
});

test('a second secret is added, the first one is retired, and a third one is refused', async () => {
  const broker = await startWithShop();
  const { body: made } = await admin(broker, 'POST', '/apps/shop/webhooks', { body: { id: 'h1', ...HOOK } });
  const path = '/apps/shop/webhooks/h1/secrets';
  const second = await admin(broker, 'POST', `${path}?retire=600`);
  expect(second).toMatchObject({
    status: 201,
    body: { secret: expect.stringMatching(/^whsec_/), retiring: [{ id: made.secrets[0].id }] },
  });
  const endsAt = second.body.retiring[0].ends_at;
  expect(endsAt - second.body.created_at).toBe(600);
  const third = await admin(broker, 'POST', path);
  expect(third).toMatchObject({ status: 409, body: { code: 'secret_limit' } });
  const last = await admin(broker, 'POST', `${path}?retire=0`);
  expect(last.status).toBe(201);
  const { body } = await admin(broker, 'GET', '/apps/shop/webhooks');
  expect(body.webhooks[0].secrets.map(({ id }: { id: string }) => id)).toEqual([last.body.id]);
  expect(await admin(broker, 'POST', `${path}?retire=604801`)).toMatchObject({ status: 400 });

  const newest = await admin(broker, 'POST', `${path}?retire=1`);
  const ids = async () =>
    (await admin(broker, 'GET', '/apps/shop/webhooks')).body.webhooks[0].secrets.map(
      ({ id }: { id: string }) => id,
    );
  await expect.poll(ids).toEqual([newest.body.id]);
});
