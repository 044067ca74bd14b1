import { randomBytes } from 'node:crypto';
import { canonicalQuery, requestText, sign } from '@countersign/sdk-server/signature';
import { APP, type Credentials } from '../brokers/server.ts';
import { TestClient } from './client.ts';

/** What a broker answers to a frame. */
export interface PublishAnswer {
  readonly id: string | number | null;
  readonly status: number;
  readonly batch?: readonly object[];
  readonly replayed?: boolean;
  readonly error?: string;
  readonly code?: string;
  readonly retry_after?: number;
}

/** The path and query that open a socket for publishing. */
export function publishTarget(
  app: Credentials = APP,
  proof: Readonly<Record<string, string>> = {},
  secret = app.secret,
): string {
  const path = `/apps/${app.id}/publish`;
  const parameters = Object.entries({
    auth_key: app.key,
    auth_timestamp: String(Math.floor(Date.now() / 1000)),
    auth_version: '1.0',
    ...proof,
  });
  const signature = sign(secret, requestText('GET', path, canonicalQuery(parameters)));
  return `${path}?${new URLSearchParams([...parameters, ['auth_signature', signature]])}`;
}

/** A backend with a socket for publishing. */
export class Publisher extends TestClient {
  /** Sends a frame with these events. */
  publish(id: string | number, ...events: readonly object[]): void {
    this.send({ id, events });
  }

  /** The next answer. */
  async answer(): Promise<PublishAnswer> {
    const received = await this.next(15_000);
    if (typeof received !== 'string') throw new Error(`Closed: ${received.code} ${received.reason}`);
    return JSON.parse(received);
  }

  /** Resolves when it is open. @throws Error with the status of a refusal */
  opened(): Promise<this> {
    return new Promise((resolve, reject) => {
      this.socket.once('open', () => resolve(this));
      this.socket.once('unexpected-response', (_, response) => {
        let text = '';
        response.on('data', (part) => {
          text += part;
        });
        response.on('end', () => reject(new Refused(response.statusCode ?? 0, text)));
      });
    });
  }
}

/** The answer over HTTP to a socket that is refused. */
export class Refused extends Error {
  readonly code: unknown;

  constructor(
    readonly status: number,
    readonly body: string,
  ) {
    super(`${status} ${body}`);
    this.code = JSON.parse(body).code;
  }
}

/** Opens a socket for publishing. */
export function openPublisher(
  broker: { readonly url: string },
  target: string = publishTarget(),
): Promise<Publisher> {
  return new Publisher(broker.url.replace('http', 'ws') + target).opened();
}

/** A key of an event. */
export function newKey(): string {
  return randomBytes(8).toString('hex');
}
