import type { Block } from '../adapter/blocks.ts';
import { ApiError } from '../errors.ts';
import type { Call } from './endpoint.ts';

/**
 * Ends what a user has, and keeps them out if there is a block. The end does not depend on the block: where that cannot be
 * kept, the answer says so.
 */
export async function endWithBlock<Answer extends object>(
  { app, adapter: { blocks }, reached }: Pick<Call, 'app' | 'adapter' | 'reached'>,
  block: Block | undefined,
  end: () => Promise<Answer>,
): Promise<Answer & { readonly block_persisted?: false }> {
  if (!block) return end();
  const { limits } = app;
  const added = await blocks.add(block, { blocks: limits.blocks, bytes: limits.blockBytes }).then(
    (hasRoom) => (hasRoom ? 'added' : 'full'),
    () => 'failed',
  );
  const answer = await end();
  if (added === 'failed') {
    throw new ApiError(
      503,
      'block_not_stored',
      'What the user had was ended, but they are not blocked: the block could not be stored. Try again',
      { 'Retry-After': '1' },
    );
  }
  if (added === 'full') {
    reached('blocks');
    throw new ApiError(
      409,
      'too_many_blocks',
      'What the user had was ended, but they are not blocked: the app has as many blocks as limits.blocks and limits.blockBytes allow',
    );
  }
  const isKept = await blocks.isKept(block.appId, block.userId, block.channel);
  return isKept ? answer : { ...answer, block_persisted: false };
}
