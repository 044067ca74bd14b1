import { type Level, type Logger, pino } from 'pino';

/** One line of a log, as it was written. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A log that keeps its lines. */
export function recordLog(level: Level = 'debug'): {
  readonly log: Logger;
  readonly lines: readonly LogLine[];
} {
  const lines: LogLine[] = [];
  const log = pino({ level }, { write: (line) => lines.push(JSON.parse(line)) });
  return { log, lines };
}
