import type { Request, RequestHandler } from 'express';
import { answerError, failuresOnly, handling, type Logger, Refusal } from './answer.ts';
import { assertKnown, assertOption } from './assert.ts';
import type { Countersign } from './client.ts';
import type { WebhookErrorCode } from './errors.ts';
import { isRecord } from './json.ts';
import type { VerifyOptions, Webhook } from './webhook.ts';
import type { WebhookEvent } from './webhook-event.ts';

/** What to do with webhooks. */
export interface WebhookRouterOptions {
  /** Gets the events of each valid webhook. The broker sends them again until this returns or its promise resolves. */
  readonly onEvents: (events: readonly WebhookEvent[], webhook: Webhook) => unknown;
  /** Seconds that a webhook may be old. @default 300 */
  readonly tolerance?: number | undefined;
  /**
   * Whether the delivery of this id was handled before; it is then answered with 204 and not handed on. It only
   * answers: let `onEvents` note `webhook.id` together with the effect of the events.
   */
  readonly seen?: VerifyOptions['seen'];
  /** Gets one line for each webhook. @default failures only, on standard error */
  readonly logger?: Logger | undefined;
}

const KNOWN: Readonly<Record<keyof WebhookRouterOptions, true>> = {
  onEvents: true,
  tolerance: true,
  seen: true,
  logger: true,
};
const WEBHOOK = 'webhook';

/** A missing raw body is our side's fault; a delivery that was handled before is not to come again. */
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
 * Receives webhooks with `POST` where it is mounted, by `app.use` or `app.post`: 204 once `onEvents` is done, 401 for a bad signature, 400 for a
 * malformed one, 500 where `onEvents` throws. Mount it ahead of body parsers: the signature is of the bytes.
 *
 * @throws ArgumentError `invalid_options`
 */
export function webhookRouter(
  countersign: Pick<Countersign, 'webhook'>,
  options: WebhookRouterOptions,
): RequestHandler {
  assertOption(isRecord(options), 'webhookRouter needs options');
  assertKnown(options, KNOWN, 'option');
  assertOption(typeof options.onEvents === 'function', 'webhookRouter needs onEvents(events, webhook)');
  const { onEvents, tolerance, seen, logger = failuresOnly } = options;

  async function verified(req: Request): Promise<Webhook> {
    try {
      return await countersign.webhook(req).verify({ tolerance, seen });
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
    // `app.use` leaves "/" of the path where this is mounted, and what is longer is not meant; a route leaves all of it.
    const isMeant = req.method === 'POST' && (req.path === '/' || req.route !== undefined);
    return isMeant ? receive(req, res, next) : next();
  };
}

/** By its code: an app may have this package twice, as a module and by `require`, and then the class twice. */
function isWebhookError(
  error: unknown,
): error is { readonly code: WebhookErrorCode; readonly message: string } {
  return error instanceof Error && 'code' in error && Object.hasOwn(STATUS, String(error.code));
}
