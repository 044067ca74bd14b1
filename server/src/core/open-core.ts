import { makeDirectory } from '../data/directory.ts';
import { SigningKey } from '../data/signing-key.ts';
import type { CoreParts, NodeCore } from './core.ts';
import { LocalCore } from './local-core.ts';

/**
 * Opens the core that the configuration asks for.
 *
 * @throws ConfigError if the data directory, the signing key or a file for the TLS of Redis cannot be used
 * @throws DataError if the content of the data directory cannot be used
 */
export async function openCore(parts: Omit<CoreParts, 'signingKey'>): Promise<NodeCore> {
  const { redis, data, webhookSigningKey } = parts.config;
  if (data !== undefined) makeDirectory(data);
  const signingKey = SigningKey.open(webhookSigningKey, data);
  if (!redis || parts.adapter) return LocalCore.open({ ...parts, signingKey });
  // The client of Redis takes a while to load, so only who needs it does.
  const { ClusterCore } = await import('./cluster-core.ts');
  return ClusterCore.open({ ...parts, redis, signingKey });
}
