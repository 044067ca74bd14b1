/** Reads the fields of a request, also if a body parser ran before. */
import { types } from 'node:util';
import express, { type Request, type RequestHandler, type Response } from 'express';
import { quoted } from '../checks.ts';
import { isRecord } from '../json.ts';
import { Refusal } from './answer.ts';

/** Enough for a batch of 200 channel names. */
const FIELDS_BYTES = 131_072;
const FORMATS = 'a form (application/x-www-form-urlencoded or multipart/form-data) or a JSON object';

const bytes = express.raw({ limit: FIELDS_BYTES, type: () => true });

/** The fields of a request, by name. A map, because names such as `__proto__` come from outside. */
export type Fields = ReadonlyMap<string, unknown>;

/**
 * Reads the fields of a form or a JSON object.
 *
 * @throws Refusal 400 or 413 for the sender's mistakes, 500 if other middleware has consumed the body
 */
export async function readFields(req: Request, res: Response): Promise<Fields> {
  const wasRead = req.readableDidRead;
  if (!wasRead) await parse(bytes, req, res);
  const body: unknown = req.body;
  if (types.isUint8Array(body)) return fieldsOf(textOf(body), body, req);
  if (typeof body === 'string') return fieldsOf(body, Buffer.from(body), req);
  if (isRecord(body)) return new Map(Object.entries(body));
  if (body === undefined && wasRead) throw bodyUsedUp();
  throw malformed();
}

/** @param raw the bytes of `text`, for multipart forms */
function fieldsOf(text: string, raw: Uint8Array, req: Request): Fields | Promise<Fields> {
  const type = req.headers['content-type'] ?? '';
  switch (type.split(';', 1)[0]?.trim().toLowerCase()) {
    case 'application/json':
      return fieldsOfJson(text);
    case 'application/x-www-form-urlencoded':
      return grouped(new URLSearchParams(text));
    case 'multipart/form-data':
      return fieldsOfMultipart(raw, type);
    default:
      throw malformed(type);
  }
}

function fieldsOfJson(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed();
  }
  if (!isRecord(value)) throw malformed();
  return new Map(Object.entries(value));
}

async function fieldsOfMultipart(raw: Uint8Array, type: string): Promise<Fields> {
  let form: FormData;
  try {
    form = await new Response(raw, { headers: { 'content-type': type } }).formData();
  } catch {
    throw malformed();
  }
  return grouped(form);
}

/** Groups fields: a name that occurs several times has the list of its values. */
function grouped(pairs: Iterable<readonly [name: string, value: unknown]>): Fields {
  const fields = new Map<string, unknown>();
  for (const [name, value] of pairs) {
    const before = fields.get(name);
    if (Array.isArray(before)) before.push(value);
    else fields.set(name, fields.has(name) ? [before, value] : value);
  }
  return fields;
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw malformed();
  }
}

function parse(parser: RequestHandler, req: Request, res: Response): Promise<void> {
  return new Promise((resolve, reject) => {
    parser(req, res, (error?: unknown) => {
      if (error === undefined) resolve();
      else reject(refusalOf(error));
    });
  });
}

/** Errors of a parser with a status below 500 are the sender's mistakes. */
function refusalOf(error: unknown): unknown {
  const status = isRecord(error) ? error['status'] : undefined;
  if (typeof status !== 'number' || status >= 500) return error;
  return new Refusal(
    status,
    'malformed',
    status === 413 ? 'The body is too large' : 'The body cannot be read',
  );
}

/** @param type `Content-Type`, if that is what is wrong */
function malformed(type?: string): Refusal {
  const found = type === undefined ? '' : `; its Content-Type is ${quoted(type)}`;
  return new Refusal(400, 'malformed', `The body must be ${FORMATS}${found}`);
}

function bodyUsedUp(): Refusal {
  const reason = 'A body parser or other middleware has consumed the body';
  return new Refusal(500, 'body_was_read', `${reason}: mount authRouter ahead of it`);
}
