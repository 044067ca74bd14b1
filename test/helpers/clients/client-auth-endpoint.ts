import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface AuthRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The channels it asks for: one by its name, several by their names with an index. */
  readonly channels: readonly string[];
}

export interface AuthAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, text as it is. */
  readonly body?: unknown;
}

export interface AuthEndpoint {
  readonly url: string;
  /** What it was asked, in order. */
  readonly requests: readonly AuthRequest[];
}

/** An app's endpoint that answers as it is told to and keeps what it was asked. */
export async function startAuthEndpoint(
  answer: (request: AuthRequest) => AuthAnswer | Promise<AuthAnswer>,
): Promise<AuthEndpoint> {
  const requests: AuthRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method, url, headers } = incoming;
    const body = Buffer.concat(chunks).toString();
    const channels = [...new URLSearchParams(body)]
      .filter(([name]) => /^channel_name(\[\d+\])?$/.test(name))
      .map(([, channel]) => channel);
    const request = { method, url, headers, body, channels };
    requests.push(request);
    const { status = 200, headers: extra, body: text = '' } = await answer(request);
    response.writeHead(status, extra).end(typeof text === 'string' ? text : JSON.stringify(text));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth`, requests };
}

/** What an endpoint that knows batches answers when it lets everybody in, apart from what is told otherwise. */
export function batchAnswer(
  { channels }: AuthRequest,
  others: Readonly<Record<string, object>> = {},
): AuthAnswer {
  const granted = { status: 200, data: { auth: 'key-1:sig' } };
  if (channels.length === 1) return { body: granted.data };
  return { body: Object.fromEntries(channels.map((name) => [name, others[name] ?? granted])) };
}
