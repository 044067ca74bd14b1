import { encode, INTERNAL, type Message, SUBSCRIPTION_ERROR } from '../connection/protocol.ts';
import type { Encryption } from '../encryption/encryption.ts';
import { CountersignError } from '../errors.ts';
import { Channel } from './channel.ts';
import type { ChannelOwner } from './channel-owner.ts';
import { PresenceChannel } from './presence.ts';

/** The channels that the app has subscribed to. */
export class Channels {
  readonly #owner: ChannelOwner;
  readonly #encryption: Encryption | undefined;
  readonly #channels = new Map<string, Channel>();
  /** Channels left before the broker responded. A new subscribe waits for that response, so as not to mistake it for its own. */
  readonly #owed = new Map<string, () => void>();

  constructor(owner: ChannelOwner, encryption: Encryption | undefined) {
    this.#owner = owner;
    this.#encryption = encryption;
  }

  /** @param user the subscription lasts until each of its users has unsubscribed */
  subscribe(name: string, user: object): Channel {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = this.#create(name);
      this.#channels.set(name, channel);
    }
    channel.uses.add(user);
    if (!this.#owed.has(name)) channel.join();
    return channel;
  }

  unsubscribe(name: string, user: object): void {
    const channel = this.#channels.get(name);
    channel?.uses.delete(user);
    if (!channel || channel.uses.size > 0) return;
    const owed = channel.leave();
    this.#channels.delete(name);
    if (!owed) return;
    const { clock, requestTimeout } = this.#owner;
    this.#owed.set(
      name,
      clock.after(requestTimeout, () => this.#settle(name)),
    );
  }

  get(name: string): Channel | undefined {
    return this.#channels.get(name);
  }

  all(): Channel[] {
    return [...this.#channels.values()];
  }

  /** Subscribes every channel on a new connection. */
  opened(): void {
    for (const channel of this.all()) channel.join();
  }

  /**
   * Resets every channel after the connection is lost.
   *
   * @param stopped whether the client does not connect again by itself
   */
  lost(stopped: boolean): void {
    for (const cancel of this.#owed.values()) cancel();
    this.#owed.clear();
    for (const channel of this.all()) {
      channel.reset();
      if (stopped) channel.end('disconnected');
    }
  }

  receive(name: string, message: Message): void {
    const succeeded = message.event === `${INTERNAL}subscription_succeeded`;
    const owed = this.#owed.has(name) && (succeeded || message.event === SUBSCRIPTION_ERROR);
    // A subscription without users is ended.
    if (succeeded && (owed || !this.#channels.has(name))) {
      this.#owner.send(encode('pusher:unsubscribe', { channel: name }));
    }
    if (owed) this.#settle(name);
    else this.#channels.get(name)?.receive(message);
  }

  /** Stops waiting for the broker's response. */
  #settle(name: string): void {
    this.#owed.get(name)?.();
    this.#owed.delete(name);
    this.#channels.get(name)?.join();
  }

  #create(name: string): Channel {
    if (name.startsWith('#') || name === '') {
      throw new CountersignError('invalid_channel', `"${name}" is not a channel name`);
    }
    if (name.startsWith('presence-')) return new PresenceChannel(name, this.#owner);
    if (!name.startsWith('private-encrypted-')) return new Channel(name, this.#owner);
    if (this.#encryption) return new this.#encryption.Channel(name, this.#owner);
    throw new CountersignError(
      'encryption_missing',
      `"${name}" needs the option encryption of @countersign/sdk-client/encrypted`,
    );
  }
}
