import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { types } from 'node:util';
import { WebhookError } from './errors.ts';

/** Headers as Node, Express or fetch have them. The case of their names does not matter. */
export type WebhookHeaders =
  | Pick<Headers, 'get'>
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** The parts of a webhook, from any framework. */
export interface WebhookParts {
  readonly headers: WebhookHeaders;
  /** The body exactly as it arrived: the signature is of its bytes, so what a body parser made of it is refused. */
  readonly rawBody: string | Uint8Array;
}

/** A webhook as AWS Lambda has it, behind API Gateway (REST or HTTP API), a function URL or a load balancer. */
export interface LambdaEvent {
  readonly headers?: Readonly<Record<string, string | undefined>> | null | undefined;
  /** Where a load balancer hands on all values of a header, these stand in place of `headers`. */
  readonly multiValueHeaders?: Readonly<Record<string, readonly string[] | undefined>> | null | undefined;
  readonly body?: string | null | undefined;
  readonly isBase64Encoded: boolean;
}

/** A webhook as it arrived: a request of Node or Express, one of fetch, an event of Lambda, or its parts. */
export type WebhookRequest = WebhookParts | LambdaEvent | IncomingMessage | Request;

/** The bytes of a body, at hand or still to be read. */
export interface WebhookBody {
  readonly atHand: string | Uint8Array | undefined;
  /** @throws WebhookError `body_was_parsed`, `too_large`, or `malformed` for a body that breaks off */
  read(): Promise<string | Uint8Array>;
}

const MAX_BYTES = 1_048_576;

/** One header; a list is one text, as fetch has it. */
export function headerOf(headers: WebhookHeaders, name: string): string | undefined {
  if (hasGet(headers)) return headers.get(name) ?? undefined;
  const value = Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1];
  return typeof value === 'string' ? value : value?.join(', ');
}

/** The headers of a webhook. */
export function headersOf(request: WebhookRequest): WebhookHeaders {
  if (!isLambda(request)) return request.headers;
  return request.headers ?? request.multiValueHeaders ?? {};
}

/** Where the bytes of a webhook are. @throws WebhookError `body_was_parsed` where parts were given without them */
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
  // A request that is destroyed has no response, and this one shall hear why it is refused.
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
    throw new WebhookError('malformed', 'The body broke off', { cause });
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
    'The text or bytes that arrived are needed, and a body parser ran before: mount the webhook route ahead of express.json()',
  );
}

function tooLarge(): WebhookError {
  return new WebhookError('too_large', `The body has more than ${MAX_BYTES} bytes`);
}
