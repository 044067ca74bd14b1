import { createHash } from 'node:crypto';
import type { Revocation } from '../../adapter/revocations.ts';
import type { App } from '../../apps/app.ts';
import { ApiError } from '../../errors.ts';
import type { Outcome } from '../../hub/revocation/revoker.ts';
import type { Call } from '../endpoint.ts';

/** Milliseconds for which rights that are older than a revocation are remembered not to count. */
export const OUTLAWS_MS = 24 * 60 * 60 * 1000;

/** What came of a revocation that was made. */
export interface TakenBack extends Outcome {
  /** Whether a block is on the disk, where there is one. */
  readonly isPersisted: boolean;
}

/**
 * Takes rights back. What they gave ends also where the revocation cannot be kept: the answer says so then.
 *
 * @throws ApiError if it could not be kept, so that older rights, or blocked ones, count again
 */
export async function takeBack(
  {
    app,
    key,
    adapter,
    hub,
    audit,
    reached,
  }: Pick<Call, 'app' | 'key' | 'adapter' | 'hub' | 'audit' | 'reached'>,
  revocation: Revocation,
): Promise<TakenBack> {
  const { id, target, reason, action } = revocation;
  const outcome = await hub.revoker.revoke(revocation, boundsOf(app));
  audit?.record({
    type: 'revocation_made',
    app: app.id,
    user_id: target.userId,
    channel: target.channel ?? target.channelPrefix,
    socket_id: target.socketId,
    grant_id: target.grantId,
    key: target.key,
    actor: `key:${key.name}`,
    reason,
    code: action,
  });
  if (outcome.kept === 'failed') {
    throw new ApiError(
      503,
      'block_not_stored',
      'What was revoked has ended, but it can come back: the revocation could not be stored. Try again',
      { 'Retry-After': '1' },
    );
  }
  if (outcome.kept === 'full') {
    reached('blocks');
    throw new ApiError(
      409,
      'too_many_blocks',
      'What was revoked has ended, but it can come back: the app has as many revocations as limits.blocks and limits.blockBytes allow',
    );
  }
  const isPersisted =
    revocation.blockedUntil === undefined || (await adapter.revocations.isPersisted(app.id, id));
  return { ...outcome, isPersisted };
}

/** How many revocations of an app are kept. */
export function boundsOf({ limits }: App): { readonly count: number; readonly bytes: number } {
  return { count: limits.blocks, bytes: limits.blockBytes };
}

/** An id that is the same each time, so that a revocation replaces the last one of the same kind. */
export function stableId(...parts: readonly string[]): string {
  return `rev-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24)}`;
}

/** What the answer of an endpoint says beside its own. */
export function remarksOn({ pending, isPersisted }: TakenBack): object {
  return { ...(pending.length > 0 && { pending }), ...(!isPersisted && { block_persisted: false }) };
}
