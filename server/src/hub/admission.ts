import { type Grant, userOf } from '../access/grant.ts';
import type { Blocks } from '../adapter/blocks.ts';
import type { App } from '../apps/app.ts';
import { SubscriptionRefusal } from '../errors.ts';
import type { Channel } from '../protocol/channel.ts';
import type { Subscriber } from './subscriber.ts';

/**
 * Checks the blocks of the application, which a valid signature does not override. The check runs before a seat is
 * taken, so that others do not see a blocked member join, and again after it: a block that was added in between could
 * not end a subscription that did not exist yet.
 */
export class Admission {
  readonly #blocks: Blocks;

  constructor(blocks: Blocks) {
    this.#blocks = blocks;
  }

  /** @throws SubscriptionRefusal if the subscriber's user is blocked */
  async check(app: App, channel: Channel, subscriber: Subscriber, grant: Grant): Promise<void> {
    const named = userOf(grant);
    const userId = named ?? subscriber.userId;
    if (userId === undefined) return;
    const [here, everywhere] = await Promise.all([
      this.#blocks.find(app.id, userId, channel.name),
      named === undefined ? undefined : this.#blocks.find(app.id, named),
    ]);
    const block = here ?? everywhere;
    if (block) throw new SubscriptionRefusal('AuthError', 403, 'blocked', block.reason);
  }
}
