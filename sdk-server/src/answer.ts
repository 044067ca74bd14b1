/** What the routers for Express have in common: how they say no, and how they tell it to the log. */
import type { Response } from 'express';

/** Where the routers write one line for each attempt: `pino`, or anything with these three methods. */
export interface Logger {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** The router says no to a request, which is answered and logged once, by {@link answerError}. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  /** @param code stable, for programs; the message is for people */
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** What is logged if nobody gives a logger: only what an operator has to repair. */
export const failuresOnly: Logger = {
  info() {},
  warn() {},
  error(fields, text) {
    console.error(text, fields);
  },
};

/** Answers a request that was refused or failed, and logs why. What nobody foresaw is told to the log only. */
export function answerError(
  res: Response,
  error: unknown,
  logger: Logger,
  fields: object,
  text: string,
): void {
  if (error instanceof Refusal) {
    const { status, code, message } = error;
    const level = status < 500 ? 'warn' : 'error';
    logger[level]({ ...fields, outcome: 'refused', status, code, reason: message }, text);
    res.status(status).json({ error: message, code });
  } else {
    logger.error({ ...fields, outcome: 'failed', status: 500, err: error }, text);
    if (!res.headersSent) res.status(500).json({ error: 'Internal error', code: 'internal_error' });
  }
}
