import type { Broker } from '@countersign/server';
import { APP, type Credentials } from './brokers/server.ts';
import { open, type TestClient } from './clients/client.ts';

/** An answer of the console. */
export interface ConsoleAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

/** A user of the console without a browser. */
export class Visitor {
  cookie = '';
  readonly #url: string;

  constructor(broker: Pick<Broker, 'url'>, pathPrefix = '') {
    this.#url = `${broker.url}${pathPrefix}/console/`;
  }

  /** Requests a page or file. */
  get(path = '', headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.#url + path, { redirect: 'manual', headers: { cookie: this.cookie, ...headers } });
  }

  /** Sends a request as the pages do, and keeps the cookie. */
  async ask(
    method: string,
    path: string,
    body?: object | string,
    headers: Record<string, string> = { 'X-Countersign-Console': '1' },
  ): Promise<ConsoleAnswer> {
    const response = await fetch(`${this.#url}api/${path}`, {
      method,
      headers: { cookie: this.cookie, ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const cookie = response.headers.get('set-cookie');
    if (cookie) this.cookie = cookie.split(';', 1)[0] ?? '';
    const answer = (await response.json()) as Record<string, unknown>;
    return { status: response.status, body: answer, headers: response.headers };
  }

  /** Sends a request whose answer may be a page. @returns the status */
  async page(method: string, path: string, body: object, headers: Record<string, string>): Promise<number> {
    return (await fetch(`${this.#url}api/${path}`, { method, headers, body: JSON.stringify(body) })).status;
  }

  signIn({ key, secret }: Pick<Credentials, 'key' | 'secret'> = APP): Promise<ConsoleAnswer> {
    return this.ask('POST', 'session', { key, secret });
  }
}

/** A report of the live data. */
interface Report {
  readonly name: string;
  readonly data: Record<string, unknown> & { readonly entries?: readonly Record<string, unknown>[] };
}

/** A page of the console without a browser: signed in, and subscribed to the live data. */
export class LivePage {
  readonly visitor: Visitor;
  readonly #client: TestClient;

  constructor(visitor: Visitor, client: TestClient) {
    this.visitor = visitor;
    this.#client = client;
  }

  /** The next matching report. */
  async next(fits: (report: Report) => boolean): Promise<Report['data']> {
    for (;;) {
      const { event: name, data } = await this.#client.nextMessage();
      // Other pages come and go.
      if (name.startsWith('pusher')) continue;
      const report = { name, data: JSON.parse(String(data)) };
      if (fits(report)) return report.data;
    }
  }

  /** The next line of the event stream of this kind. */
  async entry(kind: string): Promise<Record<string, unknown>> {
    const isIt = (entry: Record<string, unknown>) => entry['kind'] === kind;
    const { entries } = await this.next(({ data }) => data.entries?.some(isIt) ?? false);
    return entries!.find(isIt)!;
  }

  /** Waits for the end of its subscription. */
  async evicted(): Promise<{ readonly event: string }> {
    for (;;) {
      const message = await this.#client.nextMessage();
      if (message.event === 'pusher:subscription_error') return message;
    }
  }

  /** Requests another grant. @returns a function that uses it on another connection */
  async grant(broker: Pick<Broker, 'url'>): Promise<() => Promise<{ readonly event: string }>> {
    const { client, channel, grant } = await connectLive(broker, this.visitor);
    return () => {
      client.subscribe(channel, grant);
      return client.nextMessage();
    };
  }

  watch(channel?: string) {
    return this.visitor.ask('POST', 'watch', { channel });
  }
}

/** Signs in, and subscribes to the live data. */
export async function startLivePage(
  broker: Pick<Broker, 'url'>,
  credentials?: Pick<Credentials, 'key' | 'secret'>,
): Promise<LivePage> {
  const visitor = new Visitor(broker);
  await visitor.signIn(credentials);
  const { client, channel, grant } = await connectLive(broker, visitor);
  client.subscribe(channel, grant);
  const { event } = await client.nextMessage();
  if (event !== 'pusher_internal:subscription_succeeded') throw new Error(`Not subscribed: ${event}`);
  const page = new LivePage(visitor, client);
  await page.watch();
  await page.next(({ name }) => name === 'figures');
  return page;
}

/** Opens a connection for the live data, with the channel and the grant to subscribe to it. */
export async function connectLive(broker: Pick<Broker, 'url'>, visitor: Visitor) {
  const { body } = await visitor.ask('GET', 'session');
  const { key, channel } = body['live'] as { key: string; channel: string };
  const client = open(broker, `/app/${key}?protocol=7&client=test&version=1.0`);
  await client.established();
  const form = new URLSearchParams({ socket_id: client.socketId, channel_name: channel });
  const { body: grant } = await visitor.ask('POST', 'live', String(form));
  return { client, channel, grant };
}
