import type { Logger } from '@countersign/sdk-server/express';

/** What a router logged of one attempt. */
export interface Line {
  readonly level: string;
  readonly text: string;
  readonly [field: string]: unknown;
}

/** A logger that keeps what it is told. */
export function keepLines(): Logger & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const at = (level: string) => (fields: object, text: string) => void lines.push({ level, text, ...fields });
  return { lines, info: at('info'), warn: at('warn'), error: at('error') };
}
