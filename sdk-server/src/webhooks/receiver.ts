import { assertOption } from '../assert.ts';
import type { WebhookRequest } from './request.ts';
import { type WebhookKeys, webhookVerifier } from './signature.ts';
import { Webhook } from './webhook.ts';

/**
 * Receives webhooks without the secret of the app, so that a receiver cannot publish. It has the method `webhook` of
 * `Countersign`, and `webhookRouter` takes it in the same place.
 *
 * @example
 * ```ts
 * const receiver = new WebhookReceiver({ secret: process.env['WEBHOOK_SECRET']! });
 * async function receive(request: Request): Promise<void> {
 *   const webhook = await receiver.webhook(request).verify();
 *   for (const event of webhook.events()) console.log(event.name);
 * }
 * ```
 */
export class WebhookReceiver {
  readonly #keys: WebhookKeys;
  readonly #now: () => number;

  /**
   * @param now returns the time in ms since 1970
   * @throws ArgumentError `invalid_options`
   */
  constructor(keys: WebhookKeys, now: () => number = Date.now) {
    assertOption(typeof now === 'function', 'now must be a function that returns milliseconds');
    webhookVerifier(keys);
    this.#keys = keys;
    this.#now = now;
  }

  /**
   * Wraps a received webhook, as `Countersign.webhook` does.
   *
   * @throws WebhookError `body_was_parsed` if `rawBody` is neither a string nor bytes
   * @example
   * ```ts
   * const receiver = new WebhookReceiver({ secret: process.env['WEBHOOK_SECRET']! });
   * const isGenuine = receiver.webhook({ headers: {}, rawBody: '{}' }).isValid();
   * ```
   */
  webhook(received: WebhookRequest): Webhook {
    return new Webhook(received, [], this.#now, this.#keys);
  }
}
