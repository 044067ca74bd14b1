import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request as it arrived: nothing of it was decoded. */
export interface Recorded {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** A server that keeps what arrives, and gives the replies in turn, the last one again and again. `null` never replies. */
export interface Recorder {
  readonly port: number;
  readonly requests: readonly Recorded[];
}

export async function startRecorder(...replies: (Reply | null)[]): Promise<Recorder> {
  const requests: Recorded[] = [];
  const port = await listen(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const reply = replies[Math.min(requests.length, replies.length - 1)];
    requests.push({ method: req.method ?? '', target: req.url ?? '', headers: req.headers, body });
    if (reply === null) return;
    res.writeHead(reply?.status ?? 200, { 'content-type': 'application/json', ...reply?.headers });
    res.end(reply?.body ?? '{}');
  });
  return { port, requests };
}

/** Serves on a free port until the test ends. */
export async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return (server.address() as AddressInfo).port;
}

/** A port on which nobody listens: one that was free a moment ago. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What a recorded request says, by the rules for the HTTP API, written without the package under test. */
export function read(
  request: Recorded,
  secret: string,
): { path: string; params: Map<string, string>; valid: boolean } {
  const mark = request.target.indexOf('?');
  const path = request.target.slice(0, mark);
  const params = new Map<string, string>();
  for (const part of request.target.slice(mark + 1).split('&')) {
    const equals = part.indexOf('=');
    params.set(decodeURIComponent(part.slice(0, equals)), decodeURIComponent(part.slice(equals + 1)));
  }
  const signed = [...params].filter(([name]) => name !== 'auth_signature');
  const lowered = signed.map(([name, value]) => ({ name: name.toLowerCase(), value }));
  lowered.sort((a, b) => (a.name < b.name ? -1 : 1));
  const query = lowered.map(({ name, value }) => `${name}=${value}`).join('&');
  const expected = createHmac('sha256', secret).update(`${request.method}\n${path}\n${query}`).digest('hex');
  const md5 = request.body === '' ? undefined : createHash('md5').update(request.body).digest('hex');
  return {
    path,
    params,
    valid:
      params.get('auth_signature') === expected &&
      params.get('auth_version') === '1.0' &&
      /^\d{1,12}$/.test(params.get('auth_timestamp') ?? '') &&
      params.get('body_md5') === md5,
  };
}
