import type { ErrorCode } from '../error-codes.ts';
import { codes, type Disconnect } from '../errors.ts';
import { type Frame, frames } from '../protocol/frames.ts';

const NO_STATUS = 1005;
/** Close codes with a metric label of their own: clients may send any code, and labels must not grow with input. */
const KNOWN_CODES: ReadonlySet<number> = new Set([
  ...Object.values(codes),
  1000,
  1001,
  1002,
  1003,
  1005,
  1006,
  1007,
  1008,
  1009,
]);

/** The code under which metrics count a close. */
export function countedCode(code: number): number {
  return KNOWN_CODES.has(code) ? code : NO_STATUS;
}

/** Closes that protocol 7 does not know. Their reason begins with the code, the only place for it in a close frame. */
const OWN_CLOSES: ReadonlySet<ErrorCode> = new Set([
  'connection_age',
  'grant_expired',
  'grant_refused',
  'grant_revoked',
  'key_revoked',
  'out_of_sync',
  'superseded',
]);

/** The reason in a close frame: at most 123 bytes, ending at a whole character. A capable client has the code already. */
export function closeReason({ errorCode, reason }: Disconnect, isCapable: boolean): string {
  return shorten(isCapable || !OWN_CLOSES.has(errorCode) ? reason : `${errorCode}: ${reason}`);
}

function shorten(reason: string): string {
  if (Buffer.byteLength(reason) <= 123) return reason;
  const bytes = Buffer.from(reason).subarray(0, 123);
  return new TextDecoder().decode(bytes, { stream: true });
}

const LOWEST_SENT = 4000;
const HIGHEST_SENT = 4299;
/** Frames for all connections that close for the same reason. */
const errorFrames = new WeakMap<Disconnect, Frame>();
const terminatedFrames = new WeakMap<Disconnect, Frame>();

/** The `pusher:error` to send before the close frame: some clients show the reason in no other way. */
export function closeErrorFrame(why: Disconnect): Frame | undefined {
  const { code, errorCode, reason } = why;
  if (code < LOWEST_SENT || code > HIGHEST_SENT) return undefined;
  let frame = errorFrames.get(why);
  if (!frame) {
    frame = frames.error(code, errorCode, reason);
    errorFrames.set(why, frame);
  }
  return frame;
}

/** The `countersign:terminated` that a capable client gets before the close frame. */
export function terminatedFrame(why: Disconnect): Frame {
  let frame = terminatedFrames.get(why);
  if (!frame) {
    frame = frames.terminated(why.reason, why.errorCode);
    terminatedFrames.set(why, frame);
  }
  return frame;
}
