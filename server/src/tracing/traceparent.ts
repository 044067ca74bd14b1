/** A `traceparent` of W3C Trace Context, version 00: a trace, the span in it that caused what follows, and whether it is recorded. */
export const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The value if it is a `traceparent`; a header that is none counts as absent, as the standard demands. */
export function readTraceparent(value: unknown): string | undefined {
  return typeof value === 'string' && TRACEPARENT.test(value) ? value : undefined;
}
