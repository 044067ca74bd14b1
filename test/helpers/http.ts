import { type IncomingHttpHeaders, request } from 'node:http';
import { bodyMd5, canonicalQuery, requestText, sign } from '@countersign/sdk-server/signature';
import type { Broker } from '@countersign/server';
import { app, TIMESTAMP } from '../packages/vectors.ts';
import { type ServerSettings, startServer } from './brokers/server.ts';

/** A request as it goes over the wire. */
export interface HttpRequest {
  /** @default GET */
  readonly method?: string;
  /** The raw request target: nothing is encoded on the way. */
  readonly target: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** As it came. */
  readonly text: string;
  /** The message of an answer that refuses. */
  readonly error: string;
}

/** Sends a request and reads the whole answer. */
export function send(
  broker: Pick<Broker, 'host' | 'port'>,
  { method = 'GET', target, body, headers }: HttpRequest,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const { host, port } = broker;
    const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const outgoing = request({
      host,
      port,
      method,
      path: target,
      agent: false,
      headers: { ...headers, ...length },
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () => {
        const isJson = response.headers['content-type']?.startsWith('application/json') ?? false;
        // The answer to HEAD has no body.
        const hasError = response.statusCode !== 200 && isJson && text !== '';
        const error = hasError ? String(JSON.parse(text).error) : '';
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, error });
      });
    });
    outgoing.end(body);
  });
}

/** What is signed, with everything that a test may want to be otherwise. */
export interface Signing {
  /** @default GET without a body, POST with one */
  readonly method?: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Replaces parameters that prove who asks; `undefined` leaves one out. */
  readonly proof?: Readonly<Record<string, string | undefined>>;
  /** @default the path */
  readonly signedPath?: string;
  /** @default that of the example app */
  readonly secret?: string;
}

/** A request that is signed as the documentation says, for the example app and its clock. */
export function signed({ path, query, body, proof, ...rest }: Signing): HttpRequest {
  const { method = body === undefined ? 'GET' : 'POST', signedPath = path, secret = app.secret } = rest;
  const parameters = Object.entries({
    auth_key: app.key,
    auth_timestamp: String(TIMESTAMP),
    auth_version: '1.0',
    ...(body !== undefined && body.length > 0 && { body_md5: bodyMd5(body) }),
    ...query,
    ...proof,
  }).filter((parameter): parameter is [string, string] => parameter[1] !== undefined);
  const signature = sign(secret, requestText(method, signedPath, canonicalQuery(parameters)));
  const encoded = parameters.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const target = `${path}?${encoded.join('&')}&auth_signature=${signature}`;
  return { method, target, ...(body !== undefined && { body }) };
}

/** Starts a broker with the example app, whose clock stands still. Refused requests are not limited. */
export function startExample({
  config,
  app: settings,
  parts,
  ...rest
}: ServerSettings = {}): Promise<Broker> {
  return startServer({
    ...rest,
    app: { id: app.id, keys: [{ key: app.key, secret: app.secret }], ...settings },
    config: { failedAuthenticationsPerMinute: null, ...config },
    parts: { now: () => TIMESTAMP * 1000, ...parts },
  });
}

/** Publishes as the example app. */
export function post(broker: Broker, path: string, body: unknown): Promise<HttpAnswer> {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return send(broker, signed({ path: `/apps/${app.id}/${path}`, body: text }));
}

/** Asks as the example app. */
export function get(
  broker: Broker,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<HttpAnswer> {
  return send(broker, signed({ path: `/apps/${app.id}/${path}`, query }));
}
