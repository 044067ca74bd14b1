import type { Request, RequestHandler } from 'express';
import { assertKnown, assertOption } from '../assert.ts';
import { answerError, failuresAndFirstRefusals, handling, type Logger, Refusal } from '../auth/answer.ts';
import type { Countersign } from '../client.ts';
import type { WebhookErrorCode } from '../errors.ts';
import { isRecord } from '../json.ts';
import type { WebhookEvent } from './event.ts';
import { webhookVerifier } from './signature.ts';
import type { VerifyOptions, Webhook } from './webhook.ts';

/**
 * Options of {@link webhookRouter}.
 *
 * @example
 * ```ts
 * const handled = new Set<string>();
 * const options: WebhookRouterOptions = {
 *   onEvents: (_events, webhook) => handled.add(webhook.id),
 *   seen: (id) => handled.has(id),
 * };
 * app.post('/webhooks', webhookRouter(countersign, options));
 * ```
 */
export interface WebhookRouterOptions {
  /** Receives the events of each valid webhook. The broker repeats the webhook until this returns or its promise resolves. */
  readonly onEvents: (events: readonly WebhookEvent[], webhook: Webhook) => unknown;
  /** Largest difference in seconds between the webhook's time and this machine's clock. @default 300 */
  readonly tolerance?: number | undefined;
  /**
   * Returns whether the delivery of this id was handled before; the router then responds with 204 and does not call
   * `onEvents`. It must not record the id: `onEvents` does that together with the effect of the events.
   */
  readonly seen?: VerifyOptions['seen'];
  /** The `secret` of the webhook, or several while it is changed. No signature by a key of the app is accepted then. */
  readonly secret?: VerifyOptions['secret'];
  /** The broker's public keys, for a webhook with `signature: "ed25519"`; in the place of `secret`. */
  readonly jwks?: VerifyOptions['jwks'];
  /** Receives one line for each webhook. @default failures, and the first refusal for each reason, on standard error */
  readonly logger?: Logger | undefined;
}

const KNOWN: Readonly<Record<keyof WebhookRouterOptions, true>> = {
  onEvents: true,
  tolerance: true,
  seen: true,
  secret: true,
  jwks: true,
  logger: true,
};
const WEBHOOK = 'webhook';

/** A missing raw body is a mistake of this server, hence 500. 204 ends the delivery of a webhook that was handled before. */
const STATUS: Readonly<Record<WebhookErrorCode, number>> = {
  body_was_parsed: 500,
  body_not_read: 500,
  too_large: 413,
  malformed: 400,
  unknown_key: 401,
  bad_signature: 401,
  stale: 401,
  replayed: 204,
};

/**
 * Creates an Express handler that receives webhooks, mounted by `app.post` or `app.use`. It responds with 204 when
 * `onEvents` is done, 401 for a bad signature, 400 for a malformed webhook and 500 if `onEvents` throws. Mount it ahead of
 * body parsers: the signature covers the bytes.
 *
 * @param countersign or a `WebhookReceiver`
 * @throws ArgumentError `invalid_options`
 * @example
 * ```ts
 * app.post('/webhooks', webhookRouter(countersign, { onEvents: (events) => console.log(events.length) }));
 * ```
 */
export function webhookRouter(
  countersign: Pick<Countersign, 'webhook'>,
  options: WebhookRouterOptions,
): RequestHandler {
  assertOption(isRecord(options), 'webhookRouter needs options');
  assertKnown(options, KNOWN, 'option');
  assertOption(typeof options.onEvents === 'function', 'webhookRouter needs onEvents(events, webhook)');
  const { onEvents, tolerance, seen, secret, jwks, logger = failuresAndFirstRefusals() } = options;
  // A wrong one must stop the start, and not fail each delivery.
  if (secret !== undefined || jwks !== undefined) webhookVerifier({ secret, jwks });

  async function verified(req: Request): Promise<Webhook> {
    try {
      return await countersign.webhook(req).verify({ tolerance, seen, secret, jwks });
    } catch (error) {
      if (!isWebhookError(error)) throw error;
      throw new Refusal(STATUS[error.code], error.code, error.message);
    }
  }

  const receive = handling(async (req, res) => {
    const fields = { address: req.ip };
    try {
      const webhook = await verified(req);
      const events = webhook.events();
      await onEvents(events, webhook);
      res.sendStatus(204);
      logger.info({ ...fields, outcome: 'received', status: 204, events: events.length }, WEBHOOK);
    } catch (error) {
      answerError(res, error, logger, fields, WEBHOOK);
    }
  });
  return (req, res, next) => {
    // With `app.use`, the path of the mount point itself is "/"; longer paths belong to other handlers. A route has the whole path.
    const isHandled = req.method === 'POST' && (req.path === '/' || req.route !== undefined);
    return isHandled ? receive(req, res, next) : next();
  };
}

/** By its code: an app that loads this package as a module and by `require` has the class twice. */
function isWebhookError(
  error: unknown,
): error is { readonly code: WebhookErrorCode; readonly message: string } {
  return error instanceof Error && 'code' in error && Object.hasOwn(STATUS, String(error.code));
}
