import { codes } from '../errors.ts';

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
