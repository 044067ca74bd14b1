import { codes, type Disconnect } from '../errors.ts';
import { type Frame, frames } from '../protocol/frames.ts';

const NO_STATUS = 1005;
/** Close codes that are counted by themselves: clients may send any, and a label must not grow with what they send. */
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

/** The code under which a close is counted. */
export function countedCode(code: number): number {
  return KNOWN_CODES.has(code) ? code : NO_STATUS;
}

/** The longest beginning of a reason that fits a close frame: 123 bytes, no character cut. */
export function closeReason(reason: string): string {
  if (Buffer.byteLength(reason) <= 123) return reason;
  const bytes = Buffer.from(reason).subarray(0, 123);
  return new TextDecoder().decode(bytes, { stream: true });
}

const LOWEST_TOLD = 4000;
const HIGHEST_TOLD = 4299;
/** Many connections may be closed for one reason. */
const farewells = new WeakMap<Disconnect, Frame>();

/** The `pusher:error` that comes before a close frame: some clients show the reason in no other way. */
export function farewell(why: Disconnect): Frame | undefined {
  const { code, reason } = why;
  if (code < LOWEST_TOLD || code > HIGHEST_TOLD) return undefined;
  let frame = farewells.get(why);
  if (!frame) {
    frame = frames.error(code, reason);
    farewells.set(why, frame);
  }
  return frame;
}
