/** A known load, what it must cost, and what the admin API says that it did. */
import { expect } from 'vitest';
import { admin } from './admin.ts';
import { publish } from './api.ts';
import { APP, type Credentials } from './brokers/server.ts';
import { open, type TestClient } from './clients/client.ts';
import { eventually } from './eventually.ts';

export interface UsageRow {
  readonly app: string;
  readonly from: string;
  readonly unit: string;
  readonly complete: boolean;
  readonly [field: string]: string | number | boolean;
}

/** The sums of an app, as far as a test knows them. */
export type Sums = Readonly<Record<string, number>>;

/** A client that counts what goes over its socket. */
export class MeteredClient {
  readonly client: TestClient;
  bytesSent = 0;
  bytesReceived = 0;
  events = 0;

  private constructor(broker: { readonly url: string }, credentials: Credentials) {
    this.client = open(broker, `/app/${credentials.key}?protocol=7&client=test&version=1.0`);
    this.client.credentials = credentials;
    this.client.socket.on('message', (data) => {
      const text = data.toString();
      this.bytesReceived += Buffer.byteLength(text);
      if (!/^\{"event":"pusher/.test(text)) this.events += 1;
    });
    const send = this.client.send.bind(this.client);
    this.client.send = (message) => {
      const text = typeof message === 'string' ? message : JSON.stringify(message);
      this.bytesSent += Buffer.byteLength(text);
      send(text);
    };
  }

  static async connect(
    broker: { readonly url: string },
    credentials: Credentials = APP,
  ): Promise<MeteredClient> {
    const metered = new MeteredClient(broker, credentials);
    await metered.client.established();
    return metered;
  }

  async join(channel: string, member?: object): Promise<void> {
    this.client.askFor(channel, member);
    await this.client.until((received) => String(received).includes('subscription_succeeded'));
  }
}

/** Publishes to a channel, and waits until a client has all of it. @returns the bytes of the bodies */
export async function publishSome(
  broker: { readonly url: string },
  count: number,
  { client }: MeteredClient,
  credentials: Credentials = APP,
): Promise<number> {
  let bytes = 0;
  for (let i = 0; i < count; i += 1) {
    bytes += Buffer.byteLength(JSON.stringify({ name: 'e', data: `"${i}"`, channel: 'news' }));
    await publish(broker, 'news', 'e', `"${i}"`, {}, credentials);
  }
  let left = count;
  await client.until((received) => {
    if (String(received).includes('"event":"e"')) left -= 1;
    return left === 0;
  });
  return bytes;
}

/** The rows of a unit, of all apps or of one. */
export async function rowsOf(
  broker: { readonly url: string },
  unit: string,
  app?: string,
): Promise<readonly UsageRow[]> {
  const since = new Date(Date.now() - 7_200_000).toISOString();
  const path = app === undefined ? '/usage' : `/apps/${app}/usage`;
  const { status, body } = await admin(broker, 'GET', `${path}?unit=${unit}&from=${since}&limit=1000`);
  if (status !== 200) throw new Error(`Usage was answered with ${status}`);
  return body.rows;
}

export function sumOf(rows: readonly UsageRow[], field: string): number {
  return rows.reduce((sum, row) => sum + Number(row[field]), 0);
}

/** Waits until the rows of each unit have these sums. */
export async function hasUsed(broker: { readonly url: string }, app: string, expected: Sums): Promise<void> {
  await eventually(async () => {
    for (const unit of ['minute', 'hour', 'day', 'month']) {
      const rows = await rowsOf(broker, unit, app);
      const sums = Object.fromEntries(Object.keys(expected).map((field) => [field, sumOf(rows, field)]));
      expect({ unit, ...sums }).toEqual({ unit, ...expected });
    }
  });
}
