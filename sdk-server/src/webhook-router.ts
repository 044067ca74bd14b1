import express, { type Request, type Response, type Router } from 'express';
import { answerError, failuresOnly, type Logger, Refusal } from './answer.ts';
import { assertKnown, assertOption } from './assert.ts';
import { readRaw } from './body.ts';
import type { Countersign } from './client.ts';
import { WebhookError, type WebhookErrorCode } from './errors.ts';
import { isRecord } from './json.ts';
import type { Webhook, WebhookEvent } from './webhook.ts';

/** What to do with webhooks. */
export interface WebhookRouterOptions {
  /** Gets the events of each valid webhook. The broker sends them again until this returns or its promise resolves. */
  readonly onEvents: (events: readonly WebhookEvent[], webhook: Webhook) => unknown;
  /** Milliseconds that a webhook may be old; 300_000 is a good choice. @default no limit */
  readonly maxAge?: number;
  /** Gets one line for each webhook. @default failures only, on standard error */
  readonly logger?: Logger;
}

const KNOWN: Readonly<Record<keyof WebhookRouterOptions, true>> = {
  onEvents: true,
  maxAge: true,
  logger: true,
};
const WEBHOOK = 'webhook';

/** Only a missing raw body is our side's fault. */
const STATUS: Readonly<Record<WebhookErrorCode, number>> = {
  body_was_parsed: 500,
  malformed: 400,
  unknown_key: 401,
  bad_signature: 401,
  stale: 401,
};

/**
 * Receives webhooks with `POST` where it is mounted: 204 once `onEvents` is done, 401 for a bad signature, 400 for a
 * malformed one, 500 where `onEvents` throws. Mount it ahead of body parsers: the signature is of the bytes.
 *
 * @throws ArgumentError `invalid_options`
 */
export function webhookRouter(countersign: Countersign, options: WebhookRouterOptions): Router {
  assertOption(isRecord(options), 'webhookRouter needs options');
  assertKnown(options, KNOWN, 'option');
  assertOption(typeof options.onEvents === 'function', 'webhookRouter needs onEvents(events, webhook)');
  const { onEvents, maxAge, logger = failuresOnly } = options;

  async function readWebhook(req: Request, res: Response): Promise<Webhook> {
    try {
      const rawBody = await readRaw(req, res);
      const webhook = countersign.webhook({ headers: req.headers, rawBody, maxAge });
      const problem = webhook.problem();
      if (problem) throw problem;
      return webhook;
    } catch (error) {
      if (!(error instanceof WebhookError)) throw error;
      throw new Refusal(STATUS[error.code], error.code, error.message);
    }
  }

  const router = express.Router();
  router.post('/', async (req, res) => {
    const fields = { address: req.ip };
    try {
      const webhook = await readWebhook(req, res);
      const events = webhook.events();
      await onEvents(events, webhook);
      res.sendStatus(204);
      logger.info({ ...fields, outcome: 'received', status: 204, events: events.length }, WEBHOOK);
    } catch (error) {
      answerError(res, error, logger, fields, WEBHOOK);
    }
  });
  return router;
}
