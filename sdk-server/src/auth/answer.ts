/** How the Express routers refuse requests and log them. */
import type { Request, RequestHandler, Response } from 'express';

/** Receives one line for each request of the routers: `pino`, or anything with these three methods. */
export interface Logger {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** A refusal of a request; {@link answerError} responds and logs it. */
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

/** The default logger: writes only what an operator has to repair. */
export const failuresOnly: Logger = {
  info() {},
  warn() {},
  error(fields, text) {
    console.error(text, fields);
  },
};

/** The same, and the first refusal for each code: of webhooks, that is a mistake in the configuration more often than an attack. */
export function failuresAndFirstRefusals(): Logger {
  const told = new Set<unknown>();
  return {
    ...failuresOnly,
    warn(fields, text) {
      const code: unknown = Reflect.get(fields, 'code');
      if (told.has(code)) return;
      told.add(code);
      console.error(text, fields);
    },
  };
}

/** The part of a refusal or failure that the sender may know. */
export interface Problem {
  readonly status: number;
  readonly error: string;
  readonly code: string;
}

/** Logs why a request was refused or failed. Unexpected errors are not shown to the sender. */
export function logProblem(error: unknown, logger: Logger, fields: object, text: string): Problem {
  if (error instanceof Refusal) {
    const { status, code, message } = error;
    const level = status < 500 ? 'warn' : 'error';
    logger[level]({ ...fields, outcome: 'refused', status, code, reason: message }, text);
    return { status, error: message, code };
  }
  // In words as well: a logger that writes JSON without a serializer for errors prints them as {}.
  logger.error({ ...fields, outcome: 'failed', status: 500, reason: String(error), err: error }, text);
  return { status: 500, error: 'Internal error', code: 'internal_error' };
}

/** Logs why a request was refused or failed, and responds. */
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

/** Wraps an async handler: Express 4 does not handle rejected promises. */
export function handling(handle: (req: Request, res: Response) => Promise<void>): RequestHandler {
  return (req, res, next) => {
    handle(req, res).catch(next);
  };
}
