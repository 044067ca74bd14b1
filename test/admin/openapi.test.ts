/** The OpenAPI document, compared with the running server. */
import { createServer, parseConfig } from '@countersign/server';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { admin, OWNER } from '../helpers/admin.ts';
import { APP } from '../helpers/brokers/server.ts';
import { newFolder } from '../helpers/folder.ts';

interface Operation {
  readonly operationId: string;
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { schema: object }>> }>
  >;
}
interface Document {
  readonly openapi: string;
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly securitySchemes: Readonly<Record<string, unknown>> };
}

async function start(config: Readonly<Record<string, unknown>> = {}) {
  const broker = await createServer(
    parseConfig({
      port: 0,
      data: newFolder(),
      drainWindowSeconds: 0,
      admin: { token: OWNER },
      apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }],
      failedAuthenticationsPerMinute: null,
      ...config,
    }),
  );
  onTestFinished(() => broker.close());
  return broker;
}

const METHODS = ['get', 'post', 'patch', 'delete'];

function operationsOf({
  paths,
}: Document): (readonly [path: string, method: string, operation: Operation])[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [path, method, operation] as const),
  );
}

/** The schema of an answer, as the document has it. */
function answerOf(document: Document, path: string, method: string, status: number): z.ZodType {
  const schema = document.paths[path]?.[method]?.responses[status]?.content?.['application/json']?.schema;
  if (!schema) throw new Error(`The document has no answer ${status} for ${method} ${path}`);
  return z.fromJSONSchema(schema as z.core.JSONSchema.JSONSchema);
}

test('what is in it is there, and nothing else is', async () => {
  const broker = await start();
  const { body: document } = (await admin(broker, 'GET', '/openapi.json')) as { body: Document };
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.components.securitySchemes)).toEqual(['adminToken', 'signature']);
  const operations = operationsOf(document);
  const ids = operations.map(([, , { operationId }]) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(Object.keys(document.paths)).toContain('/apps/{app_id}/events');

  for (const [path, methods] of Object.entries(document.paths)) {
    const target = path.replaceAll(/\{app_id\}/g, APP.id).replaceAll(/\{\w+\}/g, 'none');
    for (const method of METHODS) {
      const response = await fetch(`${broker.url}${target}`, {
        method: method.toUpperCase(),
        headers: {
          Connection: 'close',
          ...(path.startsWith('/admin') && { Authorization: `Bearer ${OWNER}` }),
        },
      });
      const text = await response.text();
      const { code = '' } = (text === '' ? {} : JSON.parse(text)) as { readonly code?: string };
      const isThere = response.status !== 405 && code !== 'not_found' && code !== 'path_not_found';
      expect(isThere, `${method} ${path}: ${response.status} ${code}`).toBe(method in methods);
    }
  }
});

test('answers are what it says, and every refusal is listed', async () => {
  const broker = await start();
  const { body: document } = (await admin(broker, 'GET', '/openapi.json')) as { body: Document };
  for (const [path, , operation] of operationsOf(document)) {
    const statuses = path.endsWith('/openapi.json') ? ['401', '429'] : ['401', '403', '429'];
    for (const status of statuses) expect(operation.responses, path).toHaveProperty(status);
    for (const [, name] of path.matchAll(/\{(\w+)\}/g))
      expect(operation.parameters.map((parameter) => parameter.name)).toContain(name);
  }
  const hook = { id: 'h1', url: 'https://example.com/hook', events: ['member_added'] };
  const calls = [
    ['post', '/apps', { id: 'shop', webhooks: [hook] }, 201],
    ['get', '/apps', undefined, 200],
    ['get', '/apps/{app_id}', undefined, 200],
    ['patch', '/apps/{app_id}', { name: 'Shop' }, 200],
    ['get', '/apps/{app_id}/stats', undefined, 200],
    ['post', '/apps/{app_id}/keys', {}, 201],
    ['get', '/apps/{app_id}/keys', undefined, 200],
    ['post', '/apps/{app_id}/webhooks', { ...hook, id: 'h2' }, 201],
    ['get', '/apps/{app_id}/webhooks', undefined, 200],
    ['patch', '/apps/{app_id}/webhooks/{hook}', { maxEvents: 2 }, 200],
    ['post', '/apps/{app_id}/webhooks/{hook}/secrets', undefined, 201],
    ['post', '/tokens', { name: 'ann', role: 'viewer' }, 201],
    ['get', '/tokens', undefined, 200],
    ['get', '/nodes', undefined, 200],
    ['get', '/audit', undefined, 200],
    ['get', '/usage/totals', undefined, 200],
  ] as const;
  for (const [method, path, body, status] of calls) {
    const target = path.replace('{app_id}', 'shop').replace('{hook}', 'h1');
    const answer = await admin(broker, method.toUpperCase(), target, body ? { body } : {});
    expect(answer.status, `${method} ${path}`).toBe(status);
    expect(() => answerOf(document, `/admin/v1${path}`, method, status).parse(answer.body)).not.toThrow();
  }
});

test('its server is the prefix', async () => {
  const broker = await start({ pathPrefix: '/realtime' });
  const answer = await fetch(`${broker.url}/realtime/admin/v1/openapi.json`, {
    headers: { Authorization: `Bearer ${OWNER}` },
  });
  expect(((await answer.json()) as Document).servers).toEqual([{ url: '/realtime' }]);
});
