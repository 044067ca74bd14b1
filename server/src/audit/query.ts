import type { AuditRecord, AuditType } from './record.ts';
import { readRecord } from './record.ts';

/** Which records of one app are asked for; parts that are `undefined` fit all. */
export interface AuditQuery {
  readonly app: string;
  readonly type: AuditType | undefined;
  readonly userId: string | undefined;
  readonly channel: string | undefined;
  readonly grantId: string | undefined;
  /** Unix milliseconds, inclusive. */
  readonly from: number | undefined;
  /** Unix milliseconds, exclusive. */
  readonly to: number | undefined;
  readonly limit: number;
  /** Where the page before ended. */
  readonly cursor: string | undefined;
}

/** Records, the oldest first. */
export interface AuditPage {
  readonly records: readonly AuditRecord[];
  /** Where the next page begins; `undefined` after the last one. */
  readonly cursor: string | undefined;
}

/** Returns what finds the record of a line, if it fits. */
export function matcherOf(query: AuditQuery): (line: string) => AuditRecord | undefined {
  // Most lines do not fit, and finding a text is much cheaper than parsing.
  const texts = [
    textOf('app', query.app),
    textOf('type', query.type),
    textOf('user_id', query.userId),
    textOf('channel', query.channel),
    textOf('grant_id', query.grantId),
  ].filter((text) => text !== undefined);
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = query;
  return (line) => {
    if (!texts.every((text) => line.includes(text))) return undefined;
    const record = readRecord(line);
    return record && record.at_ms >= from && record.at_ms < to ? record : undefined;
  };
}

/** A quote within a value is escaped, so this text cannot be a part of one. */
function textOf(name: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : `"${name}":${JSON.stringify(value)}`;
}
