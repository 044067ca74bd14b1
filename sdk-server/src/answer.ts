/** What the routers for Express have in common: how they say no, and how they tell it to the log. */
import type { Request, RequestHandler, Response } from 'express';

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

/** What the sender of a request may know of why it was refused or failed. */
export interface Problem {
  readonly status: number;
  readonly error: string;
  readonly code: string;
}

/** Logs why a request was refused or failed. What nobody foresaw is told to the log only. */
export function logProblem(error: unknown, logger: Logger, fields: object, text: string): Problem {
  if (error instanceof Refusal) {
    const { status, code, message } = error;
    const level = status < 500 ? 'warn' : 'error';
    logger[level]({ ...fields, outcome: 'refused', status, code, reason: message }, text);
    return { status, error: message, code };
  }
  logger.error({ ...fields, outcome: 'failed', status: 500, err: error }, text);
  return { status: 500, error: 'Internal error', code: 'internal_error' };
}

/** Logs why a request was refused or failed, and answers it. */
export function answerError(
  res: Response,
  error: unknown,
  logger: Logger,
  fields: object,
  text: string,
): void {
  const { status, ...body } = logProblem(error, logger, fields, text);
  if (!res.headersSent) res.status(status).json(body);
}

/** A handler that may take its time: Express 4 does not see where its promise fails. */
export function handling(handle: (req: Request, res: Response) => Promise<void>): RequestHandler {
  return (req, res, next) => {
    handle(req, res).catch(next);
  };
}
