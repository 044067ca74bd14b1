import { type DestinationStream, type Logger, type LoggerOptions, pino, stdSerializers } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { z } from 'zod';
import { LogLimit } from './log-limit.ts';
import { maskLine } from './secret-mask.ts';

/** Settings of the log. */
export const logSchema = z
  .strictObject({
    /** The least severe level that is written. @default "info" */
    level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
    /** Whether lines are for people instead of JSON. @default false */
    pretty: z.boolean().default(false),
    /**
     * Lines of one kind (text, app and cause) that are written per minute; one more line says how many were left out.
     * null: no limit. @default 60
     */
    linesPerMinute: z.union([z.int().min(1), z.null()]).default(60),
  })
  .readonly()
  .prefault({});

/** Fields that are removed in case one is logged by mistake; the code does not log them. */
const SECRETS = ['secret', 'token', 'auth', 'signature', 'auth_signature', 'shared_secret', 'authorization'];

/** Characters of one field, and of the stack of an error, in a line: clients can influence much of both. */
const MAX_FIELD = 1000;
const MAX_TRACE = 4000;

/** Milliseconds that an ending process waits for the reader of its log. */
const MAX_LOG_WAIT_MS = 1000;

/** Standard output. All logs of this process write to it without blocking the event loop. */
let output: ReturnType<typeof pino.destination> | undefined;

/**
 * The log: one JSON object per line, or lines for people with `pretty`.
 *
 * @param destination standard output by default
 */
export function createLog(settings: z.infer<typeof logSchema>, destination?: DestinationStream): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  const { level, linesPerMinute } = settings;
  const options: LoggerOptions = {
    level,
    redact: { paths, censor: '********' },
    formatters: { log: (fields) => cut(fields, MAX_FIELD) },
    serializers: { err: (error: Error) => cut(stdSerializers.err(error), MAX_TRACE) },
  };
  const backslash = settings.pretty ? '\\\\' : '\\';
  options.hooks = { streamWrite: (line) => maskLine(line, backslash) };
  if (linesPerMinute !== null) {
    const { hook } = new LogLimit(linesPerMinute);
    options.hooks = {
      ...options.hooks,
      logMethod(args, method, lineLevel) {
        hook(this, args, method, lineLevel);
      },
    };
  }
  if (settings.pretty) {
    const ignore = 'pid,hostname';
    return pino(options, PinoPretty({ ignore, sync: true, ...(destination && { destination }) }));
  }
  output ??= pino.destination(1);
  return pino(options, destination ?? output);
}

/** Ends the process after the log is written; a write in progress would be lost. */
export function exitAfterLog(code: number): void {
  const exit = () => process.exit(code);
  if (!output) return exit();
  setTimeout(exit, MAX_LOG_WAIT_MS);
  output.once('close', exit);
  output.end();
}

function cut<Fields extends object>(fields: Fields, length: number): Fields {
  const isLong = (value: unknown): value is string => typeof value === 'string' && value.length > length;
  if (!Object.values(fields).some(isLong)) return fields;
  const entries = Object.entries(fields).map(([name, value]) => [
    name,
    isLong(value) ? `${value.slice(0, length)}…` : value,
  ]);
  return Object.fromEntries(entries) as Fields;
}
