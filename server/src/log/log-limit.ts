import { type LogFn, type Logger, levels } from 'pino';

/** Milliseconds for which lines of one kind are counted together. */
const WINDOW_MS = 60_000;
/** Kinds that are counted separately at one time; beyond them, all lines with the same text are one kind. */
const MAX_KINDS = 10_000;
/** Fields that distinguish the causes of one text, each from a fixed set. */
const CAUSES = ['appId', 'code', 'type', 'status'] as const;

interface Kind {
  /** Lines in the current window, written or not. */
  lines: number;
}

/** The number of lines of this process that were not written, because there were too many of their kind. */
export const suppression = { lines: 0 };

/**
 * Limits the log lines that clients can cause. A kind is a text with its app and cause. Only so many lines of a kind are
 * written per minute, and then one that says how many more there were. Lines below `info`, and `fatal`, which is the
 * last line of a process, are not limited.
 */
export class LogLimit {
  readonly #linesPerMinute: number;
  readonly #kinds = new Map<string, Kind>();

  constructor(linesPerMinute: number) {
    this.#linesPerMinute = linesPerMinute;
  }

  /** The hook that pino calls for each line. */
  readonly hook = (logger: Logger, args: Parameters<LogFn>, write: LogFn, level: number): void => {
    const isLimited = level >= levels.values['info']! && level < levels.values['fatal']!;
    if (!isLimited || this.#admits(logger, args, write)) write.apply(logger, args);
  };

  #admits(logger: Logger, [first, second]: Parameters<LogFn>, write: LogFn): boolean {
    const text = String(typeof first === 'string' ? first : second);
    const causes = causesOf(first);
    const exact = [text, ...Object.values(causes)].join('\n');
    const key = this.#kinds.has(exact) || this.#kinds.size < MAX_KINDS ? exact : text;
    const kind =
      this.#kinds.get(key) ??
      this.#begin(key, (suppressed) => {
        write.call(logger, { ...causes, line: text, suppressed }, 'log lines suppressed');
      });
    kind.lines += 1;
    if (kind.lines <= this.#linesPerMinute) return true;
    suppression.lines += 1;
    return false;
  }

  #begin(key: string, tell: (suppressed: number) => void): Kind {
    const kind: Kind = { lines: 0 };
    this.#kinds.set(key, kind);
    setTimeout(() => {
      this.#kinds.delete(key);
      if (kind.lines > this.#linesPerMinute) tell(kind.lines - this.#linesPerMinute);
    }, WINDOW_MS).unref();
    return kind;
  }
}

function causesOf(fields: unknown): Readonly<Record<string, unknown>> {
  if (typeof fields !== 'object' || fields === null) return {};
  const known = fields as Readonly<Record<string, unknown>>;
  return Object.fromEntries(CAUSES.filter((name) => name in known).map((name) => [name, known[name]]));
}
