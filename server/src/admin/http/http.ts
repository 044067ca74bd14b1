/** The admin API on the wire: hands requests to whoever has the app store, and writes the answers. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import type { Config } from '../../config/config.ts';
import { isLoopback, whyNotLocal } from '../../config/loopback.ts';
import { ApiError } from '../../errors.ts';
import { dropBody, readBody } from '../../http/body.ts';
import { PROBLEM } from '../../http/error-body.ts';
import { splitTarget } from '../../http/target.ts';
import type { Administrator } from '../administration.ts';
import { methodNotAllowed, noSuchParameter, Problem, type ProblemCode } from './problem.ts';
import type { AdminAnswer, Caller } from './request.ts';

export interface AdminRouteParts {
  readonly config: Config;
  readonly administrator: Administrator;
  readonly addressOf: (request: IncomingMessage) => string;
  readonly isSecure: (request: IncomingMessage) => boolean;
  /** The description of the admin API and of the apps' HTTP API. */
  readonly document: () => object;
}

const ROOT = '/admin/v1';
const DOCUMENT = '/openapi.json';

/** Everything below `/admin/v1`. */
export function adminRoute(parts: AdminRouteParts): {
  readonly path: string;
  readonly handle: RequestHandler;
} {
  const { config } = parts;
  const path = `${config.pathPrefix}${ROOT}`;
  const handle: RequestHandler = (request, response, next) => {
    answer(parts, path, request, response).catch(next);
  };
  return { path, handle };
}

async function answer(
  parts: AdminRouteParts,
  root: string,
  request: IncomingMessage & { readonly originalUrl: string },
  response: ServerResponse,
): Promise<void> {
  const caller = { authorization: request.headers.authorization, address: parts.addressOf(request) };
  const refusal = refuseWithoutTls(parts, request) ?? (await parts.administrator.admit(caller));
  if (refusal) return refuse(request, response, refusal);
  await answerAdmitted(parts, () => caller, root, request, response);
}

/** The bodies of many callers without a valid token would fill the memory, so it is dropped. */
export async function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  refusal: AdminAnswer,
): Promise<void> {
  await dropBody(request).catch(ignoreTooLarge);
  write(request, response, refusal);
}

/**
 * Answers a caller who was admitted.
 *
 * @param caller is called when the body is there
 * @param root the path below which the admin API is
 * @param onAnswer is told the answer before anything of it is written
 */
export async function answerAdmitted(
  { administrator, document }: Pick<AdminRouteParts, 'administrator' | 'document'>,
  caller: () => Caller,
  root: string,
  request: IncomingMessage & { readonly originalUrl: string },
  response: ServerResponse,
  onAnswer?: (answer: AdminAnswer) => void,
): Promise<void> {
  const { headers, method = '' } = request;
  const { path: whole, rawQuery } = splitTarget(request.originalUrl);
  const path = whole.slice(root.length);
  let body: Buffer;
  try {
    body = await readBody(request);
  } catch (error) {
    ignoreTooLarge(error);
    return write(request, response, answerOf(new Problem('body_too_large', (error as Error).message)));
  }
  if (path === DOCUMENT) {
    const refusal = refuseOfDocument(method, rawQuery);
    return write(request, response, refusal ? answerOf(refusal) : { status: 200, body: document() });
  }
  const asks = {
    ...caller(),
    method,
    path,
    rawQuery,
    contentType: headers['content-type'],
    ifMatch: headers['if-match'],
    idempotencyKey: textOf(headers['idempotency-key']),
    requestId: String(response.getHeader('X-Request-Id') ?? ''),
    body,
  };
  const found = await administrator.answer(asks);
  onAnswer?.(found);
  if (!found.part || method === 'HEAD') return write(request, response, found);
  await writeParts(response, found, (resume) => administrator.answer({ ...asks, resume }));
}

/** Sends an answer part by part, as fast as it is read. One that fails in between is cut off, so that it does not look whole. */
async function writeParts(
  response: ServerResponse,
  first: AdminAnswer,
  next: (resume: string) => Promise<AdminAnswer>,
): Promise<void> {
  response.statusCode = first.status;
  response.setHeader('Cache-Control', 'no-store');
  for (const [name, value] of Object.entries(first.headers ?? {})) response.setHeader(name, value);
  for (let { part } = first; part; ) {
    if (!response.write(part.text) && !response.closed) await drained(response);
    if (response.closed) return;
    if (part.resume === undefined) return void response.end();
    ({ part } = await next(part.resume));
  }
  response.destroy();
}

async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

function refuseOfDocument(method: string, rawQuery: string): Problem | undefined {
  if (method !== 'GET' && method !== 'HEAD') return methodNotAllowed(['GET']);
  const [parameter] = new URLSearchParams(rawQuery).keys();
  return parameter === undefined ? undefined : noSuchParameter(parameter);
}

/** A request brings a token and an answer may bring secrets, so both go over TLS, or stay on this machine. */
function refuseWithoutTls(
  { config, isSecure }: AdminRouteParts,
  request: IncomingMessage,
): AdminAnswer | undefined {
  const isLocal = isLoopback(config.host) && whyNotLocal(request) === undefined;
  if (isLocal || isSecure(request)) return undefined;
  return answerOf(
    new Problem(
      'tls_required',
      'The request came without TLS from outside of this machine: configure "tls", or put a proxy with TLS in front and add it to "trustProxy"',
    ),
  );
}

/** @throws what is no refusal of a body that is too large, which is answered all the same */
function ignoreTooLarge(error: unknown): void {
  if (!(error instanceof ApiError)) throw error;
}

function answerOf({ status, body, more }: Problem & { readonly code: ProblemCode }): AdminAnswer {
  return { status, body, headers: { ...more.headers, 'Content-Type': PROBLEM } };
}

export function write(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: AdminAnswer,
): void {
  response.statusCode = status;
  response.setHeader('Cache-Control', 'no-store');
  const text = body === undefined ? '' : JSON.stringify(body);
  if (body !== undefined) response.setHeader('Content-Type', 'application/json');
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
  if (status !== 204) response.setHeader('Content-Length', Buffer.byteLength(text));
  response.end(request.method === 'HEAD' || status === 204 ? undefined : text);
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}
