import { WebhookError } from './errors.ts';
import { isRecord } from './json.ts';
import type { Token } from './options.ts';
import { verify } from './signature.ts';

/** What the broker tells about channels and their members. */
export type WebhookEvent =
  | { readonly name: 'channel_occupied' | 'channel_vacated' | 'cache_miss'; readonly channel: string }
  | {
      readonly name: 'member_added' | 'member_removed';
      readonly channel: string;
      readonly user_id: string;
    }
  | {
      readonly name: 'client_event';
      readonly channel: string;
      readonly event: string;
      /** The text that the client sent, usually JSON. */
      readonly data: string;
      readonly socket_id: string;
      /** On presence channels only. */
      readonly user_id?: string;
    }
  | {
      readonly name: 'subscription_count';
      readonly channel: string;
      readonly subscription_count: number;
    };

/** The body of a webhook. */
export interface WebhookData {
  /** When it was sent, in milliseconds since 1970. */
  readonly time_ms: number;
  readonly events: readonly WebhookEvent[];
}

/** Headers as Node, Express or fetch have them. The case of their names does not matter. */
export type WebhookHeaders =
  | Pick<Headers, 'get'>
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** A webhook as it arrived. */
export interface WebhookRequest {
  readonly headers: WebhookHeaders;
  /** The body exactly as it arrived: the signature is of its bytes, so what a body parser made of it is refused. */
  readonly rawBody: string | Uint8Array;
  /** Milliseconds that the webhook may be old, or ahead of this machine's clock; 300_000 is a good choice. @default no limit */
  readonly maxAge?: number | undefined;
}

/** A webhook that arrived. Nothing is computed before it is asked for. */
export class Webhook {
  readonly #request: WebhookRequest;
  readonly #tokens: readonly Token[];
  readonly #now: () => number;
  #data: WebhookData | undefined;

  /** @throws WebhookError `body_was_parsed` if `rawBody` is neither text nor bytes */
  constructor(request: WebhookRequest, tokens: readonly Token[], now: () => number) {
    const { rawBody } = request;
    if (typeof rawBody !== 'string' && !(rawBody instanceof Uint8Array)) {
      throw bodyWasParsed();
    }
    this.#request = request;
    this.#tokens = tokens;
    this.#now = now;
  }

  /** Whether the broker sent this and nobody changed it. Ask before you believe anything else. */
  isValid(extraTokens: Token | readonly Token[] = []): boolean {
    return this.problem(extraTokens) === undefined;
  }

  /** Why {@link isValid} says no: `malformed`, `unknown_key`, `bad_signature` or `stale`; `undefined` if it says yes. */
  problem(extraTokens: Token | readonly Token[] = []): WebhookError | undefined {
    const key = this.#header('x-pusher-key');
    const signature = this.#header('x-pusher-signature');
    const tokens = this.#tokens.concat(extraTokens).filter((token) => token.key === key);
    if (tokens.length === 0) return new WebhookError('unknown_key', 'X-Pusher-Key names no known key');
    if (!tokens.some(({ secret }) => verify(secret, this.#request.rawBody, signature))) {
      return new WebhookError('bad_signature', 'X-Pusher-Signature is not the signature of this body');
    }
    if (!/^application\/json\s*(;|$)/i.test(this.#header('content-type') ?? '')) {
      return new WebhookError('malformed', 'Content-Type must be application/json');
    }
    return this.#contentProblem();
  }

  /**
   * What the body says, whether or not {@link isValid}.
   *
   * @throws WebhookError `malformed`
   */
  data(): WebhookData {
    this.#data ??= parse(this.#request.rawBody);
    return this.#data;
  }

  /** The events, in the order in which they happened. @throws WebhookError `malformed` */
  events(): readonly WebhookEvent[] {
    return this.data().events;
  }

  /** When the webhook was sent. @throws WebhookError `malformed` */
  time(): Date {
    return new Date(this.data().time_ms);
  }

  #contentProblem(): WebhookError | undefined {
    try {
      const { time_ms } = this.data();
      const { maxAge = Number.POSITIVE_INFINITY } = this.#request;
      const isStale = Math.abs(this.#now() - time_ms) > maxAge;
      return isStale ? new WebhookError('stale', `time_ms is more than ${maxAge} ms off`) : undefined;
    } catch (error) {
      if (error instanceof WebhookError) return error;
      throw error;
    }
  }

  #header(name: string): string | undefined {
    const { headers } = this.#request;
    if (hasGet(headers)) return headers.get(name) ?? undefined;
    const value = Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1];
    return typeof value === 'string' ? value : value?.join(', ');
  }
}

/** What to throw where the raw body of a webhook is gone. */
export function bodyWasParsed(): WebhookError {
  return new WebhookError(
    'body_was_parsed',
    'rawBody must be the text or bytes that arrived. A body parser ran before: mount the webhook route ahead of express.json()',
  );
}

function hasGet(headers: WebhookHeaders): headers is Pick<Headers, 'get'> {
  return typeof headers['get'] === 'function';
}

function parse(rawBody: string | Uint8Array): WebhookData {
  let data: unknown;
  try {
    const text =
      typeof rawBody === 'string' ? rawBody : new TextDecoder('utf-8', { fatal: true }).decode(rawBody);
    data = JSON.parse(text);
  } catch (cause) {
    throw new WebhookError('malformed', 'The body is not JSON', { cause });
  }
  if (!isWebhookData(data)) {
    throw new WebhookError('malformed', 'The body must be { time_ms: integer, events: [{ name }] }');
  }
  return data;
}

/** Checks what all events have in common; events whose names are newer than this package pass. */
function isWebhookData(data: unknown): data is WebhookData {
  return (
    isRecord(data) &&
    Number.isSafeInteger(data['time_ms']) &&
    Array.isArray(data['events']) &&
    data['events'].every((event) => isRecord(event) && typeof event['name'] === 'string')
  );
}
