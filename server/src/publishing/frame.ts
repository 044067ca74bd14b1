import { z } from 'zod';
import { OUR_FAULT, refusalOf } from '../api/answers.ts';
import { ApiError } from '../errors.ts';
import { parseBody } from '../http/body.ts';
import { check } from '../http/check.ts';

/** Names a frame in its answer. */
export type FrameId = string | number | null;

/** A frame as it came. */
export interface PublishFrame {
  /** null: it has none that can be read. */
  readonly id: FrameId;
  /** Unchecked; `undefined` if the frame is refused. */
  readonly events: readonly unknown[] | undefined;
  readonly refusal: ApiError | undefined;
}

const idSchema = z.object({ id: z.union([z.string().min(1).max(64), z.int()]) });
const frameSchema = z.object({ events: z.array(z.unknown()) });

/** Reads a frame; what is wrong with it is in its `refusal`, because it counts against the limit of requests as well. */
export function readFrame(data: Buffer): PublishFrame {
  let id: FrameId = null;
  try {
    const frame = parseBody(data);
    ({ id } = check(idSchema, frame));
    return { id, events: check(frameSchema, frame).events, refusal: undefined };
  } catch (error) {
    if (error instanceof ApiError) return { id, events: undefined, refusal: error };
    throw error;
  }
}

/** The answer to a frame whose events are published. */
export function publishedAnswer(id: FrameId, batch: readonly object[], isRepeated: boolean): string {
  return JSON.stringify({ id, status: 200, batch, ...(isRepeated && { replayed: true }) });
}

/** The answer to a frame that is refused or failed. */
export function refusalAnswer(id: FrameId, { status, message, code, headers }: ApiError): string {
  const retryAfter = headers['Retry-After'];
  return JSON.stringify({
    id,
    status,
    error: message,
    code,
    ...(retryAfter !== undefined && { retry_after: Number(retryAfter) }),
  });
}

/** What the caller is told of an error, and whether it is our own fault. */
export function explain(error: unknown): { readonly answered: ApiError; readonly isOurFault: boolean } {
  const refusal = refusalOf(error, 'POST');
  return { answered: refusal ?? OUR_FAULT, isOurFault: refusal === undefined };
}
