import type { Channel } from '../channels/channel.ts';
import type { Countersign } from '../client.ts';

/** How long a channel is kept that nothing on the page uses, in ms: what replaces a part of a page comes after it. */
const RELEASE_DELAY = 1_000;

interface Use {
  readonly channel: Channel;
  count: number;
  cancelRelease: (() => void) | undefined;
}

const all = new WeakMap<Countersign, SharedChannels>();

/** Channels that components share: subscribed with the first use, left RELEASE_DELAY after the last. */
export class SharedChannels {
  readonly #client: Countersign;
  readonly #uses = new Map<string, Use>();

  private constructor(client: Countersign) {
    this.#client = client;
  }

  /** Returns the shared channels of a client. */
  static of(client: Countersign): SharedChannels {
    const shared = all.get(client) ?? new SharedChannels(client);
    all.set(client, shared);
    return shared;
  }

  /** Returns a channel that stays subscribed until `release` is called and nothing else uses it. */
  use(name: string): { readonly channel: Channel; release(): void } {
    let use = this.#uses.get(name);
    if (!use) {
      // A refused channel is requested again by the first component that uses it, and not by each.
      use = { channel: this.#client.subscribeFor(this, name), count: 0, cancelRelease: undefined };
      this.#uses.set(name, use);
    }
    const { channel } = use;
    use.count++;
    use.cancelRelease?.();
    return { channel, release: () => this.#release(name, use) };
  }

  #release(name: string, use: Use): void {
    if (--use.count > 0) return;
    const timer = setTimeout(() => {
      this.#uses.delete(name);
      this.#client.unsubscribeFor(this, name);
    }, RELEASE_DELAY);
    use.cancelRelease = () => clearTimeout(timer);
  }
}
