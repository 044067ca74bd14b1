import type { Blocks } from '../adapter/blocks.ts';
import type { App } from '../apps/app.ts';
import { SubscriptionRefusal } from '../errors.ts';
import type { Channel } from '../protocol/channel.ts';
import type { Grant } from './grant.ts';
import type { Subscriber } from './subscriber.ts';

/**
 * Whom the application keeps out although a signature is right. It is asked before a seat is taken, so that nobody sees
 * come who may not, and again after: what was decided meanwhile could not end a subscription that was not there yet.
 */
export class Admission {
  readonly #blocks: Blocks;

  constructor(blocks: Blocks) {
    this.#blocks = blocks;
  }

  /** @throws SubscriptionRefusal if the subscriber may not be in the channel now */
  async check(app: App, channel: Channel, subscriber: Subscriber, grant: Grant): Promise<void> {
    const userId = grant.member?.userId ?? subscriber.userId;
    if (userId === undefined) return;
    const [here, everywhere] = await Promise.all([
      this.#blocks.find(app.id, userId, channel.name),
      grant.member && this.#blocks.find(app.id, userId),
    ]);
    const block = here ?? everywhere;
    if (block) throw new SubscriptionRefusal('AuthError', 403, block.reason);
  }
}
