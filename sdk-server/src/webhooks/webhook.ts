import { assertOption } from '../assert.ts';
import { WebhookError } from '../errors.ts';
import type { Token } from '../options.ts';
import { parseWebhook, type WebhookData, type WebhookEvent } from './event.ts';
import { badSignature, pusherProblem } from './pusher-headers.ts';
import {
  bodyOf,
  headerOf,
  headersOf,
  type WebhookBody,
  type WebhookHeaders,
  type WebhookRequest,
} from './request.ts';
import {
  verifyWebhook,
  type WebhookKeySet,
  type WebhookKeys,
  type WebhookVerifier,
  webhookText,
  webhookVerifier,
} from './signature.ts';

/**
 * Options of {@link Webhook.verify}.
 *
 * @example
 * ```ts
 * const handled = new Set<string>();
 * const options: VerifyOptions = { tolerance: 60, seen: (id) => handled.has(id) };
 * ```
 */
export interface VerifyOptions {
  /** Largest difference in seconds between the webhook's time and this machine's clock. @default 300 */
  readonly tolerance?: number | undefined;
  /**
   * Returns whether the delivery of this id was handled before. It must not record the id: do that together with the
   * effect of the events, because a delivery whose handling failed arrives again under the same id.
   */
  readonly seen?: ((id: string) => boolean | Promise<boolean>) | undefined;
  /** Further accepted keys, in addition to those of the app's options. */
  readonly keys?: Token | readonly Token[] | undefined;
  /** The `secret` of the webhook, or several while it is changed. No signature by a key of the app is accepted then. */
  readonly secret?: string | readonly string[] | undefined;
  /** The broker's public keys, for a webhook with `signature: "ed25519"`; in the place of `secret`. */
  readonly jwks?: WebhookKeySet | undefined;
}

const TOLERANCE_SECONDS = 300;
const TIMESTAMP = /^\d{1,12}$/;

/**
 * A received webhook. The body is read by {@link verify}, and parsed when it is needed.
 *
 * @example
 * ```ts
 * async function receive(request: Request): Promise<void> {
 *   const webhook = countersign.webhook(request);
 *   await webhook.verify();
 *   for (const event of webhook.events()) if (event.name === 'member_added') console.log(event.user_id);
 * }
 * ```
 */
export class Webhook {
  readonly #headers: WebhookHeaders;
  readonly #tokens: readonly Token[];
  readonly #now: () => number;
  /** Replaces the tokens. */
  readonly #verifier: WebhookVerifier | undefined;
  readonly #body: WebhookBody;
  #rawBody: string | Uint8Array | undefined;
  #reading: Promise<string | Uint8Array> | undefined;
  #data: WebhookData | undefined;

  /**
   * @param keys what verifies it in the place of the tokens
   * @throws WebhookError `body_was_parsed` if `rawBody` is neither a string nor bytes
   * @throws ArgumentError `invalid_options`
   */
  constructor(
    request: WebhookRequest,
    tokens: readonly Token[],
    now: () => number,
    keys?: WebhookKeys | undefined,
  ) {
    this.#verifier = keys && webhookVerifier(keys);
    this.#headers = headersOf(request);
    this.#tokens = tokens;
    this.#now = now;
    this.#body = bodyOf(request);
    this.#rawBody = this.#body.atHand;
  }

  /** The id of the delivery, the same for all attempts: `webhook-id`, or the signature if a broker sends none. */
  get id(): string {
    return this.#header('webhook-id') ?? this.#header('x-pusher-signature') ?? '';
  }

  /**
   * Reads the body if necessary, and checks the signatures, the age and, with `seen`, whether the delivery was handled
   * before. Resolves with this webhook if it is genuine.
   *
   * @throws WebhookError `unknown_key`, `bad_signature`, `stale`, `replayed`, `malformed`, `body_was_parsed`, `too_large`
   * @throws ArgumentError `invalid_options`
   * @example
   * ```ts
   * async function receive(request: Request): Promise<void> {
   *   await countersign.webhook(request).verify({ tolerance: 60 });
   * }
   * ```
   */
  async verify(options: VerifyOptions = {}): Promise<this> {
    const { tolerance = TOLERANCE_SECONDS, seen, keys = [], secret, jwks } = options;
    assertOption(tolerance >= 0, 'tolerance must be a number of seconds');
    const isGiven = secret !== undefined || jwks !== undefined;
    const verifier = isGiven ? webhookVerifier({ secret, jwks }) : this.#verifier;
    this.#reading ??= this.#body.read();
    this.#rawBody = await this.#reading;
    const problem = this.#problem(keys, verifier) ?? this.#ageProblem(tolerance);
    if (problem) throw problem;
    const wasSeen: unknown = await seen?.(this.id);
    // A wrong guess would handle events twice, or lose them.
    assertOption(!seen || typeof wasSeen === 'boolean', 'seen(id) must return true or false');
    if (wasSeen) throw new WebhookError('replayed', 'This delivery was handled before');
    return this;
  }

  /**
   * Whether the signatures are valid. It accepts old webhooks and copies, which {@link verify} refuses.
   *
   * @throws WebhookError `body_not_read` before the body is read
   * @example
   * ```ts
   * const isGenuine = countersign.webhook({ headers: {}, rawBody: '{}' }).isValid();
   * ```
   */
  isValid(extraTokens: Token | readonly Token[] = []): boolean {
    return this.problem(extraTokens) === undefined;
  }

  /**
   * Returns why {@link isValid} is false: `malformed`, `unknown_key` or `bad_signature`; otherwise `undefined`.
   *
   * @throws WebhookError `body_not_read` before the body is read
   * @example
   * ```ts
   * const code = countersign.webhook({ headers: {}, rawBody: '{}' }).problem()?.code;
   * ```
   */
  problem(extraTokens: Token | readonly Token[] = []): WebhookError | undefined {
    return this.#problem(extraTokens, this.#verifier);
  }

  #problem(
    extraTokens: Token | readonly Token[],
    verifier: WebhookVerifier | undefined,
  ): WebhookError | undefined {
    const tokens = this.#tokens.concat(extraTokens);
    const unproven = verifier
      ? this.#standardProblem(verifier)
      : pusherProblem(tokens, this.#headers, this.#raw());
    if (unproven) return unproven;
    if (!/^application\/json\s*(;|$)/i.test(this.#header('content-type') ?? '')) {
      return new WebhookError('malformed', 'Content-Type must be application/json');
    }
    const problem = this.#dataProblem();
    if (problem || verifier || !this.#isStandard()) return problem;
    return this.#standardProblem((text, header) =>
      tokens.some(({ secret }) => verifyWebhook(secret, text, header)),
    );
  }

  /**
   * Returns the parsed body, whether or not {@link isValid}.
   *
   * @throws WebhookError `malformed`, `body_not_read`
   * @example
   * ```ts
   * const { time_ms, events } = countersign.webhook({ headers: {}, rawBody: '{"time_ms":1,"events":[]}' }).data();
   * ```
   */
  data(): WebhookData {
    this.#data ??= parseWebhook(this.#raw());
    return this.#data;
  }

  /**
   * Returns the events in the order in which they happened.
   *
   * @throws WebhookError as {@link data}
   * @example
   * ```ts
   * const events = countersign.webhook({ headers: {}, rawBody: '{"time_ms":1,"events":[]}' }).events();
   * ```
   */
  events(): readonly WebhookEvent[] {
    return this.data().events;
  }

  /**
   * Returns when the webhook was sent.
   *
   * @throws WebhookError as {@link data}
   * @example
   * ```ts
   * const sentAt = countersign.webhook({ headers: {}, rawBody: '{"time_ms":1,"events":[]}' }).time();
   * ```
   */
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

  /** Whether the broker signs by the Standard Webhooks specification, too. */
  #isStandard(): boolean {
    const headers = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
    // Brokers that number events send these headers; without them, a copy would pass as new.
    return (
      headers.some((name) => this.#header(name) !== undefined) ||
      this.events().some((event) => event.id !== undefined)
    );
  }

  /** Checks the headers of the Standard Webhooks specification, which also sign the id. */
  #standardProblem(isProven: WebhookVerifier): WebhookError | undefined {
    const id = this.#header('webhook-id');
    const timestamp = this.#header('webhook-timestamp');
    const isSigned =
      id !== undefined &&
      timestamp !== undefined &&
      TIMESTAMP.test(timestamp) &&
      isProven(webhookText(id, timestamp, this.#raw()), this.#header('webhook-signature'));
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
