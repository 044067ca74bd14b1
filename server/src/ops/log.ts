import { type DestinationStream, type Logger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import type { Config } from '../config.ts';

/** Fields that never reach the log, in case one is logged by mistake; the code does not log them. */
const SECRETS = ['secret', 'token', 'auth', 'signature', 'auth_signature', 'shared_secret', 'authorization'];

/**
 * The log: one JSON object per line, or lines for people with `pretty`.
 *
 * @param destination standard output, unless given
 */
export function createLog(settings: Config['log'], destination?: DestinationStream): Logger {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  const options = { level: settings.level, redact: { paths, censor: '********' } };
  if (settings.pretty) {
    const ignore = 'pid,hostname';
    return pino(options, PinoPretty({ ignore, sync: true, ...(destination && { destination }) }));
  }
  return destination ? pino(options, destination) : pino(options);
}
