import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { types } from 'node:util';
import { WebhookError } from '../errors.ts';

/** Headers of a Node, Express or fetch request. The case of names does not matter. */
export type WebhookHeaders =
  | Pick<Headers, 'get'>
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The parts of a webhook, from any framework. */
export interface WebhookParts {
  readonly headers: WebhookHeaders;
  /** The body exactly as it arrived: the signature covers its bytes, so a parsed body is refused. */
  readonly rawBody: string | Uint8Array;
}

/** A webhook as an AWS Lambda event, behind API Gateway (REST or HTTP API), a function URL or a load balancer. */
export interface LambdaEvent {
  readonly headers?: Readonly<Record<string, string | undefined>> | null | undefined;
  /** Replaces `headers` if the load balancer passes on all values of a header. */
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null | undefined;
  readonly body?: string | null | undefined;
  readonly isBase64Encoded: boolean;
}

/** A received webhook: a request of Node, Express or fetch, an event of Lambda, or its parts. */
export type WebhookRequest = WebhookParts | LambdaEvent | IncomingMessage | Request;

/** The bytes of a body, available or to be read. */
export interface WebhookBody {
  readonly atHand: string | Uint8Array | undefined;
  /** @throws WebhookError `body_was_parsed`, `too_large`, or `malformed` for a body that breaks off */
  read(): Promise<string | Uint8Array>;
}

const MAX_BYTES = 1_048_576;

/** Returns one header; several values are joined with commas, as fetch does. */
export function headerOf(headers: WebhookHeaders, name: string): string | undefined {
  if (hasGet(headers)) return headers.get(name) ?? undefined;
  const value = Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1];
  return typeof value === 'string' ? value : value?.join(', ');
}

/** Returns the headers of a webhook. */
export function headersOf(request: WebhookRequest): WebhookHeaders {
  if (!isLambda(request)) return request.headers;
  return request.headers ?? request.multiValueHeaders ?? {};
}

/** Finds the bytes of a webhook. @throws WebhookError `body_was_parsed` if they are not there */
export function bodyOf(request: WebhookRequest): WebhookBody {
  if (isLambda(request)) {
    const { body, isBase64Encoded } = request;
    return atHand(Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8'));
  }
  const given = [Reflect.get(request, 'rawBody'), Reflect.get(request, 'body')].find(isRaw);
  if (given !== undefined) return atHand(given);
  if (request instanceof Readable) return unread(() => readNode(request));
  if ('arrayBuffer' in request) return unread(() => readFetch(request));
  throw bodyWasParsed();
}

function atHand(body: string | Uint8Array): WebhookBody {
  return { atHand: body, read: async () => body };
}

function isLambda(request: WebhookRequest): request is LambdaEvent {
  return typeof Reflect.get(request, 'isBase64Encoded') === 'boolean';
}

function unread(read: () => Promise<Uint8Array>): WebhookBody {
  return { atHand: undefined, read };
}

async function readNode(request: IncomingMessage): Promise<Uint8Array> {
  if (request.readableDidRead) throw bodyWasParsed();
  // Destroying the request would prevent a response that says why it is refused.
  return collect(request.iterator({ destroyOnReturn: false }), request.headers['content-length']);
}

async function readFetch(request: Request): Promise<Uint8Array> {
  if (request.bodyUsed) throw bodyWasParsed();
  return request.body ? collect(request.body, request.headers.get('content-length')) : new Uint8Array();
}

async function collect(
  chunks: AsyncIterable<Uint8Array>,
  announced: string | null | undefined,
): Promise<Uint8Array> {
  if (Number(announced) > MAX_BYTES) throw tooLarge();
  const collected: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw tooLarge();
      collected.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof WebhookError) throw cause;
    throw new WebhookError('malformed', 'The body ended early', { cause });
  }
  return Buffer.concat(collected);
}

function isRaw(value: unknown): value is string | Uint8Array {
  return typeof value === 'string' || types.isUint8Array(value);
}

function hasGet(headers: WebhookHeaders): headers is Pick<Headers, 'get'> {
  return typeof headers['get'] === 'function';
}

function bodyWasParsed(): WebhookError {
  return new WebhookError(
    'body_was_parsed',
    'The raw body is needed, but a body parser ran before: mount the webhook route ahead of express.json()',
  );
}

function tooLarge(): WebhookError {
  return new WebhookError('too_large', `The body has more than ${MAX_BYTES} bytes`);
}
