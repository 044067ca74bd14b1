import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { Inbox } from '../clients/event-inbox.ts';

/** An event of a webhook, with its numbers as numbers. */
export interface ReceivedEvent {
  readonly name: string;
  readonly id: string;
  readonly seq: number;
  readonly at: number;
  readonly channel: string;
  readonly user_id?: string;
  readonly [field: string]: unknown;
}

/** Reads the events of a webhook, or of `GET webhook_events`. */
export function readEvents(written: unknown): ReceivedEvent[] {
  return (written as readonly ReceivedEvent[]).map((event) => ({
    ...event,
    seq: Number(event.seq),
    at: Number(event.at),
  }));
}

/** One request of a webhook. */
export interface Posted {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawBody: string;
  readonly events: readonly ReceivedEvent[];
}

/** Answers a request; without one the answer is 204. */
export type Reply = (response: ServerResponse, posted: Posted) => void;

export const ok: Reply = (response) => void response.writeHead(204).end();
export const status =
  (code: number, headers: Record<string, string> = {}, body = ''): Reply =>
  (response) =>
    void response.writeHead(code, headers).end(body);

/** The backend of a customer: it keeps what is posted to it, and answers as the test says. */
export class WebhookReceiver {
  reply: Reply = ok;
  /** Everything that came, in its order. */
  readonly posted: Posted[] = [];
  readonly #inbox = new Inbox<Posted>('a webhook');
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  url(path = '/hook'): string {
    return `http://127.0.0.1:${this.#port}${path}`;
  }

  take(posted: Posted, response: ServerResponse): void {
    this.posted.push(posted);
    this.reply(response, posted);
    this.#inbox.put(posted);
  }

  /** The next request. */
  next(): Promise<Posted> {
    return this.#inbox.next();
  }

  /** The next event, of a hook that sends one at a time. */
  async nextEvent(): Promise<ReceivedEvent> {
    return (await this.next()).events[0]!;
  }

  /** What comes, up to the first request that fits. */
  until(fits: (posted: Posted) => boolean): Promise<Posted[]> {
    return this.#inbox.until(fits);
  }

  /** What comes up to a moment of the test. */
  async eventsUntil(fits: (event: ReceivedEvent) => boolean): Promise<ReceivedEvent[]> {
    return (await this.until(({ events }) => events.some(fits))).flatMap(({ events }) => events);
  }
}

/** Starts a receiver on a free port, or on one that is known to be free; it ends with the test. */
export async function startReceiver(port = 0): Promise<WebhookReceiver> {
  let receiver: WebhookReceiver | undefined;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const rawBody = Buffer.concat(chunks).toString();
    const { url: path = '', headers } = request;
    receiver?.take(
      { path, headers, rawBody, events: readEvents(JSON.parse(rawBody).events ?? []) },
      response,
    );
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  receiver = new WebhookReceiver((server.address() as AddressInfo).port);
  return receiver;
}
