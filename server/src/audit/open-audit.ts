import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { SigningKey } from '../data/signing-key.ts';
import type { Metrics } from '../metrics.ts';
import type { ScriptRunner } from '../redis/script-runner.ts';
import { AuditLog } from './audit-log.ts';
import type { AuditStore } from './audit-store.ts';
import { FileStore } from './file-store.ts';
import { MemoryStore } from './memory-store.ts';
import { RedisStore } from './redis-store.ts';
import { Retention } from './retention.ts';

export interface AuditParts {
  readonly config: Config;
  /** The key of the broker, which signs checkpoints. */
  readonly signingKey: SigningKey | undefined;
  /** Redis, in a cluster. */
  readonly cluster?: { readonly commands: ScriptRunner; readonly prefix: string } | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The clock, in Unix milliseconds. */
  readonly now: () => number;
}

/** Bytes of one file, as far as the bound of all allows. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const FILES = 8;

/**
 * Opens the audit log that the configuration asks for.
 *
 * @returns `undefined` if it is off
 * @throws DataError if what is in the data directory cannot be continued
 */
export async function openAudit(parts: AuditParts): Promise<AuditLog | undefined> {
  const { enabled, required: isRequired, fullAddresses } = parts.config.audit;
  if (!enabled) return undefined;
  return new AuditLog({ ...parts, store: await openStore(parts), isRequired, fullAddresses });
}

async function openStore({
  config,
  signingKey,
  cluster,
  metrics,
  log,
  now,
}: AuditParts): Promise<AuditStore> {
  const { keepSeconds, maxBytes } = config.audit;
  const keepMs = keepSeconds * 1000;
  // Each start of a node of a cluster begins a chain of its own.
  if (cluster)
    return new RedisStore({
      ...cluster,
      node: `${hostname()}-${randomBytes(4).toString('hex')}`,
      keepMs,
      maxBytes,
    });
  const node = hostname();
  if (config.data === undefined || !signingKey) {
    log.warn(
      'audit records are kept in memory: only the last ones, until the broker ends; "data" keeps them on disk',
    );
    return new MemoryStore(node);
  }
  const retention = new Retention({ keepMs, maxBytes, metrics, log, now });
  const { privateKey } = signingKey;
  const maxFileBytes = Math.min(MAX_FILE_BYTES, Math.floor(maxBytes / FILES));
  return FileStore.open({ data: config.data, node, privateKey, retention, maxFileBytes, log, now });
}
