/** Reads request bodies with Express's own parsers, also where one of them ran before. */
import express, { type Request, type RequestHandler, type Response } from 'express';
import { Refusal } from './answer.ts';
import { isRecord } from './json.ts';

/** Enough for the names of a whole batch of channels. */
const FIELDS_BYTES = 131_072;

const json = express.json({ limit: FIELDS_BYTES });
const form = express.urlencoded({ limit: FIELDS_BYTES, extended: false });

/** The fields of a request, by name. A map, so that no name reaches a prototype. */
export type Fields = ReadonlyMap<string, unknown>;

/**
 * The fields of a form or a JSON object.
 *
 * @throws Refusal 400 or 413
 */
export async function readFields(req: Request, res: Response): Promise<Fields> {
  await parse(json, req, res);
  await parse(form, req, res);
  const body: unknown = req.body;
  if (!isRecord(body)) throw new Refusal(400, 'malformed', 'The body must be a form or a JSON object');
  return new Map(Object.entries(body));
}

function parse(parser: RequestHandler, req: Request, res: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    parser(req, res, (error?: unknown) => {
      if (error === undefined) resolve();
      else reject(refusalOf(error));
    });
  });
}

/** A parser's complaint is the sender's fault, unless it has no status below 500. */
function refusalOf(error: unknown): unknown {
  const status = isRecord(error) ? error['status'] : undefined;
  if (typeof status !== 'number' || status >= 500) return error;
  return new Refusal(
    status,
    'malformed',
    status === 413 ? 'The body is too large' : 'The body cannot be read',
  );
}
