import type { Block, Blocks } from '../adapter/adapter.ts';
import { ApiError } from '../errors.ts';

/**
 * Ends what a user has, and keeps them out if there is a block. The end does not depend on the block: where that cannot be
 * kept, the answer says so.
 */
export async function endWithBlock<Answer extends object>(
  blocks: Blocks,
  block: Block | undefined,
  end: () => Promise<Answer>,
): Promise<Answer & { readonly block_persisted?: false }> {
  if (!block) return end();
  const added = await blocks.add(block).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  const answer = await end();
  if (added) {
    throw new ApiError(
      503,
      'What the user had was ended, but they are not blocked: the block could not be stored. Try again',
      { 'Retry-After': '1' },
    );
  }
  const isKept = await blocks.isKept(block.appId, block.userId, block.channel);
  return isKept ? answer : { ...answer, block_persisted: false };
}
