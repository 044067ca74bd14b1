import { assertOption } from './assert.ts';
import { WebhookError } from './errors.ts';
import type { Token } from './options.ts';
import { verify, verifyWebhook, webhookText } from './signature.ts';
import { parseWebhook, type WebhookData, type WebhookEvent } from './webhook-event.ts';
import {
  bodyOf,
  headerOf,
  headersOf,
  type WebhookBody,
  type WebhookHeaders,
  type WebhookRequest,
} from './webhook-request.ts';

/** What {@link Webhook.verify} asks beside the signatures. */
export interface VerifyOptions {
  /** Seconds that the webhook may be old, or ahead of this machine's clock. @default 300 */
  readonly tolerance?: number | undefined;
  /**
   * Whether the delivery of this id was handled before. It only answers: note the id together with the effect of the
   * events, for a delivery whose handling failed comes again under the same id.
   */
  readonly seen?: ((id: string) => boolean | Promise<boolean>) | undefined;
  /** Keys that are accepted beside those of the app's options. */
  readonly keys?: Token | readonly Token[] | undefined;
}

const TOLERANCE_SECONDS = 300;
const TIMESTAMP = /^\d{1,12}$/;

/** A webhook that arrived. Nothing is read or computed before it is asked for. */
export class Webhook {
  readonly #headers: WebhookHeaders;
  readonly #tokens: readonly Token[];
  readonly #now: () => number;
  readonly #body: WebhookBody;
  #rawBody: string | Uint8Array | undefined;
  #reading: Promise<string | Uint8Array> | undefined;
  #data: WebhookData | undefined;

  /** @throws WebhookError `body_was_parsed` if parts were given whose `rawBody` is neither text nor bytes */
  constructor(request: WebhookRequest, tokens: readonly Token[], now: () => number) {
    this.#headers = headersOf(request);
    this.#tokens = tokens;
    this.#now = now;
    this.#body = bodyOf(request);
    this.#rawBody = this.#body.atHand;
  }

  /** What all attempts to deliver this have in common: `webhook-id`, or the signature where a broker sends none. */
  get id(): string {
    return this.#header('webhook-id') ?? this.#header('x-pusher-signature') ?? '';
  }

  /**
   * Reads the body where it still has to be read, and checks the signatures, the age and, with `seen`, whether this is
   * the first time. Resolves with this webhook, which may then be believed.
   *
   * @throws WebhookError `unknown_key`, `bad_signature`, `stale`, `replayed`, `malformed`, `body_was_parsed`, `too_large`
   * @throws ArgumentError `invalid_options`
   */
  async verify({ tolerance = TOLERANCE_SECONDS, seen, keys = [] }: VerifyOptions = {}): Promise<this> {
    assertOption(tolerance >= 0, 'tolerance must be a number of seconds');
    this.#reading ??= this.#body.read();
    this.#rawBody = await this.#reading;
    const problem = this.problem(keys) ?? this.#ageProblem(tolerance);
    if (problem) throw problem;
    const wasSeen: unknown = await seen?.(this.id);
    // Neither answer can be guessed: one would handle twice, the other lose events.
    assertOption(!seen || typeof wasSeen === 'boolean', 'seen(id) must answer true or false');
    if (wasSeen) throw new WebhookError('replayed', 'This delivery was handled before');
    return this;
  }

  /**
   * Whether the broker sent this and nobody changed it. Copies and old ones pass: {@link verify} refuses those too.
   *
   * @throws WebhookError `body_not_read` unless the body is at hand
   */
  isValid(extraTokens: Token | readonly Token[] = []): boolean {
    return this.problem(extraTokens) === undefined;
  }

  /**
   * Why {@link isValid} says no: `malformed`, `unknown_key` or `bad_signature`; `undefined` if it says yes.
   *
   * @throws WebhookError `body_not_read`
   */
  problem(extraTokens: Token | readonly Token[] = []): WebhookError | undefined {
    const tokens = this.#tokens.concat(extraTokens);
    const key = this.#header('x-pusher-key');
    const signature = this.#header('x-pusher-signature');
    const named = tokens.filter((token) => token.key === key);
    if (named.length === 0) return new WebhookError('unknown_key', 'X-Pusher-Key names no known key');
    if (!named.some(({ secret }) => verify(secret, this.#raw(), signature))) {
      return badSignature('X-Pusher-Signature is not the signature of this body');
    }
    if (!/^application\/json\s*(;|$)/i.test(this.#header('content-type') ?? '')) {
      return new WebhookError('malformed', 'Content-Type must be application/json');
    }
    return this.#dataProblem() ?? this.#standardProblem(tokens);
  }

  /**
   * What the body says, whether or not {@link isValid}.
   *
   * @throws WebhookError `malformed`, `body_not_read`
   */
  data(): WebhookData {
    this.#data ??= parseWebhook(this.#raw());
    return this.#data;
  }

  /** The events, in the order in which they happened. @throws WebhookError as {@link data} */
  events(): readonly WebhookEvent[] {
    return this.data().events;
  }

  /** When the webhook was sent. @throws WebhookError as {@link data} */
  time(): Date {
    return new Date(this.data().time_ms);
  }

  #dataProblem(): WebhookError | undefined {
    try {
      this.data();
      return undefined;
    } catch (error) {
      if (error instanceof WebhookError) return error;
      throw error;
    }
  }

  /** What is wrong with the headers of the Standard Webhooks specification, which also sign the id. */
  #standardProblem(tokens: readonly Token[]): WebhookError | undefined {
    const id = this.#header('webhook-id');
    const timestamp = this.#header('webhook-timestamp');
    const signature = this.#header('webhook-signature');
    // Brokers that number their events send these headers: a copy from which they were cut would pass as new.
    const expected = this.events().some((event) => event.id !== undefined);
    if (!expected && id === undefined && timestamp === undefined && signature === undefined) return undefined;
    const isSigned =
      id !== undefined &&
      timestamp !== undefined &&
      TIMESTAMP.test(timestamp) &&
      tokens.some(({ secret }) => verifyWebhook(secret, webhookText(id, timestamp, this.#raw()), signature));
    return isSigned ? undefined : badSignature('webhook-signature is not the signature of this webhook');
  }

  #ageProblem(tolerance: number): WebhookError | undefined {
    const { time_ms } = this.data();
    const timestamp = this.#header('webhook-timestamp');
    const times = timestamp === undefined ? [time_ms] : [time_ms, Number(timestamp) * 1000];
    const isFresh = times.every((time) => Math.abs(this.#now() - time) <= tolerance * 1000);
    return isFresh ? undefined : new WebhookError('stale', `This was sent more than ${tolerance} s ago`);
  }

  #header(name: string): string | undefined {
    return headerOf(this.#headers, name);
  }

  #raw(): string | Uint8Array {
    if (this.#rawBody !== undefined) return this.#rawBody;
    throw new WebhookError('body_not_read', 'The body was not read yet: await webhook.verify() first');
  }
}

function badSignature(message: string): WebhookError {
  return new WebhookError('bad_signature', message);
}
