/** The HTTP API of an app and its part of the OpenAPI document: each answer of a running broker is as it says. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { openApi } from '#server/openapi';
import { request } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';

type Method = 'GET' | 'POST' | 'DELETE';
type Schema = z.core.JSONSchema.JSONSchema;
interface Operation {
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
  readonly responses: Readonly<
    Record<string, { readonly content?: { readonly 'application/json': { readonly schema: Schema } } }>
  >;
}

const document = openApi({ pathPrefix: '' }) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

function operationOf(method: Method, path: string): Operation {
  const found = document.paths[`/apps/{app_id}${path}`]?.[method.toLowerCase()];
  if (!found) throw new Error(`The document has no ${method} ${path}`);
  return found;
}

const HOOK = { id: 'hook', url: 'http://127.0.0.1:9/hook', events: ['channel_occupied'] };

test('requests and answers have the schemas of the document', { timeout: 60_000 }, async () => {
  const broker = await startServer({
    config: { data: newFolder(), webhookGraceSeconds: 0, audit: { enabled: true } },
    app: { webhooks: [HOOK], history: [{ channels: 'room-*', messages: 10, seconds: 60 }] },
  });
  const client = await connect(broker);
  await client.signIn({ id: 'ann' });
  await client.join('presence-room', { user_id: 'ann' });
  await client.join('room-1');
  const calls: readonly (readonly [
    method: Method,
    path: string,
    target: string,
    body?: object | undefined,
    query?: Record<string, string>,
  ])[] = [
    ['POST', '/events', '/events', { name: 'e', data: '1', channel: 'room-1' }],
    [
      'POST',
      '/events',
      '/events',
      { name: 'e', data: '1', channels: ['room-1'], info: 'subscription_count,position' },
    ],
    ['POST', '/batch_events', '/batch_events', { batch: [{ name: 'e', data: '1', channel: 'room-1' }] }],
    ['GET', '/channels', '/channels', undefined, { filter_by_prefix: 'presence-', info: 'user_count' }],
    ['GET', '/channels/{subject}', '/channels/room-1', undefined, { info: 'subscription_count,position' }],
    ['GET', '/channels/{subject}/users', '/channels/presence-room/users'],
    ['GET', '/channels/{subject}/events', '/channels/room-1/events'],
    ['DELETE', '/channels/{subject}/events', '/channels/room-1/events'],
    ['GET', '/users', '/users'],
    ['GET', '/users/{subject}', '/users/ann'],
    ['GET', '/access', '/access', undefined, { user_id: 'ann' }],
    ['GET', '/keys', '/keys'],
    ['GET', '/audit', '/audit'],
    ['POST', '/revocations', '/revocations', { target: { user_id: 'bob' }, block_seconds: 60 }],
    ['GET', '/revocations', '/revocations'],
    ['GET', '/webhooks', '/webhooks'],
    ['GET', '/webhooks/{subject}/deliveries', '/webhooks/hook/deliveries'],
    ['POST', '/webhooks/{subject}/retry', '/webhooks/hook/retry', { state: 'pending' }],
    ['POST', '/webhooks/{subject}/skip', '/webhooks/hook/skip', { state: 'dead' }],
    ['POST', '/webhooks/{subject}/pause', '/webhooks/hook/pause'],
    ['POST', '/webhooks/{subject}/resume', '/webhooks/hook/resume'],
    ['POST', '/webhooks/{subject}/test', '/webhooks/hook/test'],
    ['GET', '/webhook_events', '/webhook_events'],
    [
      'POST',
      '/channels/{subject}/subscriptions/remove',
      '/channels/room-1/subscriptions/remove',
      { user_id: 'ann' },
    ],
    ['POST', '/users/{subject}/terminate_connections', '/users/ann/terminate_connections', { block: 60 }],
  ];
  const named = new Set<string>();
  const check = async (...[method, path, target, body, query = {}]: (typeof calls)[number]) => {
    named.add(`${method} ${path}`);
    const { requestBody, responses } = operationOf(method, path);
    const asked = requestBody?.content['application/json'].schema;
    expect(asked !== undefined || body === undefined, `${method} ${path} has a body`).toBe(true);
    if (asked) expect(z.fromJSONSchema(asked).safeParse(body).error, `${method} ${path}`).toBeUndefined();
    const answer = await request(broker, method, target, { body, query });
    expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBe(200);
    const answered = responses['200']?.content?.['application/json'].schema;
    if (!answered) throw new Error(`The document has no answer of ${method} ${path}`);
    const { error } = z.fromJSONSchema(answered).safeParse(answer.body);
    expect(error, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBeUndefined();
    return answer.body;
  };
  for (const call of calls) await check(...call);
  const { revocations } = (await check('GET', '/revocations', '/revocations')) as {
    revocations: [{ id: string }];
  };
  await check('DELETE', '/revocations/{subject}', `/revocations/${revocations[0].id}`);
  const { id } = (await check('POST', '/recordings', '/recordings', { user_id: 'bob' })) as { id: string };
  const bob = await connect(broker);
  await bob.signIn({ id: 'bob' });
  await check('GET', '/recordings', '/recordings');
  await check('GET', '/recordings/{subject}', `/recordings/${id}`);
  await check('DELETE', '/recordings/{subject}', `/recordings/${id}`);
  const there = Object.entries(document.paths)
    .filter(([path]) => path.startsWith('/apps/'))
    .flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace('/apps/{app_id}', '')}`),
    );
  const missing = there.filter((each) => !named.has(each));
  expect(missing).toEqual(['GET /webhooks/keys'].filter((each) => there.includes(each)));
});
