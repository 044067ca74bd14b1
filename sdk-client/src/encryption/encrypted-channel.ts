import type { ChannelGrant } from '../auth/grants.ts';
import { Channel } from '../channels/channel.ts';
import type { AnyEvents } from '../channels/channel-events.ts';
import { Attempt } from '../connection/attempt.ts';
import { asObject, isReserved, type Message, parseJson } from '../connection/protocol.ts';
import { failure } from '../errors.ts';
import { ChannelKeys } from './channel-keys.ts';

/** Events that can wait for a new key; later ones are dropped. */
const MAX_WAITING = 100;
/** Pause in ms after a request that returned no other key. */
const KEY_HOLDS = 10_000;
const OTHER_KEY = 'Encrypted with another key';

/** A private channel whose events only clients with a grant from the app can decrypt. */
export class EncryptedChannel<Events extends object = AnyEvents> extends Channel<Events> {
  readonly #keys = new ChannelKeys();
  #confirmedAt = -Infinity;
  /** The request for a new key; later events wait in `#waiting`. */
  #renewal: Attempt<ChannelGrant> | undefined;
  #waiting: Message[] = [];

  /** @internal */
  override reset(): void {
    super.reset();
    this.#forget();
  }

  /** @internal Its key comes from the app. */
  protected override get byToken(): boolean {
    return false;
  }

  /** @internal */
  protected override async grant(socketId: string, signal: AbortSignal): Promise<ChannelGrant> {
    const grant = await super.grant(socketId, signal);
    // A late response must not replace newer keys.
    if (signal.aborted || this.#keys.take(grant, this.owner.clock.now())) return grant;
    throw failure(`"${this.name}" needs a valid shared_secret`, 200, { reason: 'key_invalid' });
  }

  /** @internal */
  protected override received(message: Message): void {
    if (isReserved(message.event)) return super.received(message);
    // Events wait while a new key is requested, to keep their order.
    if (this.#renewal) {
      if (this.#waiting.length < MAX_WAITING) this.#waiting.push(message);
      else this.#drop(message, 'Too many waiting events');
      return;
    }
    if (this.#open(message)) return;
    if (this.owner.clock.now() - this.#confirmedAt < KEY_HOLDS) return this.#drop(message, OTHER_KEY);
    this.#renew(message);
  }

  /** Delivers or drops an event. @returns false if another key might decrypt it */
  #open(message: Message): boolean {
    const text = this.#keys.open(asObject(message.data) ?? {}, this.owner.clock.now());
    if (text === null) return false;
    if (text === undefined) this.#drop(message, 'Not encrypted');
    else this.deliver(message.event, parseJson(text), message);
    return true;
  }

  /** Requests the key again, once for all events that wait: the app may have changed its master key. */
  #renew(message: Message): void {
    const { socketId, clock } = this.owner;
    if (!socketId) return;
    const before = this.#keys.fingerprint;
    this.#waiting = [message];
    const done = (): void => {
      if (this.#keys.fingerprint === before) this.#confirmedAt = clock.now();
      this.#renewed();
    };
    this.#renewal = new Attempt(this.owner, (signal) => this.grant(socketId, signal), done, done);
  }

  #renewed(): void {
    const waiting = this.#waiting;
    this.#forget();
    for (const message of waiting) if (!this.#open(message)) this.#drop(message, OTHER_KEY);
  }

  #forget(): void {
    this.#renewal?.end();
    this.#renewal = undefined;
    this.#waiting = [];
  }

  #drop(dropped: Message, message: string): void {
    this.emit('pusher:decryption_error', { event: dropped.event, message });
    this.passed(dropped);
  }
}
