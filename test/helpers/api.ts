import { bodyMd5, canonicalQuery, requestText, sign } from '@countersign/sdk-server/signature';
import type { Broker } from '@countersign/server';
import { APP, type Credentials } from './brokers/server.ts';

export interface RequestParts {
  readonly body?: unknown;
  readonly query?: Record<string, string>;
  readonly app?: Credentials;
  readonly headers?: Record<string, string>;
}

/** Makes a signed request to the HTTP API and reads the answer. */
export async function request(
  broker: Pick<Broker, 'url'>,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  { body, query = {}, app = APP, headers }: RequestParts = {},
): Promise<{ status: number; body: unknown; headers: Headers }> {
  const raw = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const target = `/apps/${app.id}${path}`;
  const parameters: Record<string, string> = {
    auth_key: app.key,
    auth_timestamp: String(Math.floor(Date.now() / 1000)),
    auth_version: '1.0',
    ...(raw && { body_md5: bodyMd5(raw) }),
    ...query,
  };
  const text = requestText(method, target, canonicalQuery(Object.entries(parameters)));
  const search = new URLSearchParams({ ...parameters, auth_signature: sign(app.secret, text) });
  const response = await fetch(`${broker.url}${target}?${search}`, {
    method,
    ...(headers && { headers }),
    ...(raw && { body: raw }),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

/** Publishes one event, and fails when that is refused. */
export async function publish(
  broker: Pick<Broker, 'url'>,
  channel: string,
  name: string,
  data: string,
  extra: object = {},
  app: Credentials = APP,
): Promise<void> {
  await post(broker, '/events', { name, data, channel, ...extra }, app);
}

/** Publishes one event to several channels, and fails when that is refused. */
export async function publishTo(
  broker: Pick<Broker, 'url'>,
  channels: readonly string[],
  name: string,
  data: string,
  extra: object = {},
): Promise<void> {
  await post(broker, '/events', { name, data, channels, ...extra });
}

/** Publishes several events, and fails when that is refused. */
export async function publishBatch(broker: Pick<Broker, 'url'>, batch: readonly object[]): Promise<void> {
  await post(broker, '/batch_events', { batch });
}

async function post(
  broker: Pick<Broker, 'url'>,
  path: string,
  body: object,
  app: Credentials = APP,
): Promise<void> {
  const { status, body: answer } = await request(broker, 'POST', path, { body, app });
  if (status !== 200) throw new Error(`Not published: ${JSON.stringify(answer)}`);
}
