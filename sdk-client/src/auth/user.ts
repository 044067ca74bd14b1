import type { AnyEvents } from '../channels/channel-events.ts';
import { type SubscriptionError, subscriptionError } from '../channels/subscription-error.ts';
import { Attempt, type AttemptSettings } from '../connection/attempt.ts';
import {
  asObject,
  encode,
  INTERNAL,
  isReserved,
  type Message,
  parseJson,
  SUBSCRIPTION_ERROR,
  USER_CHANNEL,
} from '../connection/protocol.ts';
import { REVOKED_SECOND, type Retries } from '../connection/retries.ts';
import { type Deferred, deferred } from '../deferred.ts';
import { Emitter } from '../emitter.ts';
import { CountersignError, unanswered } from '../errors.ts';
import type { Authorizer, TokenSource } from './grants.ts';

/** The data of the signed-in user, as the app signed it. */
export interface UserData {
  readonly id: string;
  readonly user_info?: unknown;
  readonly watchlist?: readonly string[];
  readonly [key: string]: unknown;
}

/** Users of the watchlist who came online or went offline. */
export interface WatchlistEvent {
  readonly name: string;
  readonly user_ids: readonly string[];
}

/** Events of the watchlist. */
export interface WatchlistEvents {
  online: WatchlistEvent;
  offline: WatchlistEvent;
}

/** Events of the SDK on the user, besides those that the backend sends. */
export interface UserEvents {
  'pusher:signin_success': UserData;
  'pusher:signin_error': CountersignError;
  'pusher:subscription_error': SubscriptionError;
}

/** What the user needs from its client. */
export interface UserOwner extends AttemptSettings {
  readonly socketId: string | undefined;
  send(frame: string): boolean;
  readonly authorizer: Authorizer;
  /** Signs in in place of the app's endpoint. */
  readonly token: TokenSource | undefined;
  readonly retries: Retries;
  readonly renewals: Retries;
  /** Warns of a sign-in that failed and that the app does not listen to. */
  signInUnheard(error: CountersignError): void;
}

/** The code of the broker's refusal of a sign-in. */
export const UNAUTHORIZED = 4009;
/** Codes of refused tokens for which the token is not to blame. */
const TEMPORARY = ['unavailable', 'internal_error'];

/**
 * The signed-in user. Its events are those that the app's backend sends to this user, on all devices.
 *
 * @example
 * ```ts
 * await client.signin();
 * client.user.on('mail', (data) => console.log(data));
 * client.user.watchlist.on('online', ({ user_ids }) => console.log(user_ids));
 * ```
 */
export class User extends Emitter<UserEvents & AnyEvents> {
  /** Emits `online` and `offline` for the users whom the app lists in `watchlist`. */
  readonly watchlist = new Emitter<WatchlistEvents>();
  /** Why the last sign-in failed; `undefined` if none has failed since the last success. */
  error: CountersignError | undefined;
  readonly #owner: UserOwner;
  #data: UserData | undefined;
  /** Whether to sign in on the next connection, too. */
  #wanted = false;
  /** The sign-in in progress; it can last over several connections. */
  #outcome: Deferred<UserData> | undefined;
  #attempt: Attempt<string> | undefined;
  /** Whether the last sign-in was refused for a revocation, which it may have followed in the same second. */
  #wasRevoked = false;
  readonly #again = (): void => this.#begin();

  /** @internal */
  constructor(owner: UserOwner) {
    super();
    this.#owner = owner;
    this.#wanted = owner.token !== undefined;
  }

  /** The data that the app signed; `undefined` while the connection is not signed in. */
  get user_data(): UserData | undefined {
    return this.#data;
  }

  /** @internal Whether a sign-in is in progress on this connection. */
  get isPending(): boolean {
    return this.#attempt !== undefined;
  }

  /** @internal */
  signin(): Promise<UserData> {
    if (this.#data) return Promise.resolve(this.#data);
    this.#wanted = true;
    if (!this.#attempt) this.opened();
    this.#outcome ??= deferred();
    return this.#outcome.promise;
  }

  /** @internal Returns the id, once a sign-in in progress is over. */
  async id(): Promise<string | undefined> {
    while (!this.#data && this.#outcome) await this.#outcome.promise.catch(() => {});
    return this.#data?.id;
  }

  /** @internal */
  opened(): void {
    if (!this.#wanted) return;
    this.#outcome ??= deferred();
    this.#begin();
  }

  /** @internal @param stopped whether the connection will not be tried again */
  lost(stopped: boolean): void {
    this.#endAttempt();
    this.#data = undefined;
    if (!stopped) return;
    this.#outcome?.reject(new CountersignError('disconnected', 'Disconnected'));
    this.#outcome = undefined;
  }

  /** @internal */
  receive({ event, channel, data }: Message): void {
    if (event === 'countersign:authentication_expiring') {
      this.#owner.renewals.add(this.#again, 0);
    } else if (event === 'pusher:signin_success') {
      this.#signedIn(parseJson(asObject(data)?.['user_data']));
    } else if (event === 'countersign:authenticated') {
      const { user_id: id, user_info } = asObject(data) ?? {};
      this.#signedIn({ id, user_info });
    } else if (event === 'countersign:authentication_failed') {
      const { code, error } = asObject(data) ?? {};
      this.#refused(String(code), `${code}: ${error}`);
    } else if (event === 'pusher:error') {
      const { code, message, error_code: reason } = asObject(data) ?? {};
      // The error refuses the sign-in if one is in progress and the code says so.
      if (this.#attempt && code === UNAUTHORIZED)
        this.#refused(reason === undefined ? reason : String(reason), String(message));
    } else if (event === `${INTERNAL}watchlist_events`) {
      const { events } = asObject(data) ?? {};
      for (const entry of Array.isArray(events) ? events : [])
        this.watchlist.emit(String(asObject(entry)?.['name']), entry);
    } else if (this.#data && channel === USER_CHANNEL + this.#data.id) {
      if (event === SUBSCRIPTION_ERROR) this.emit(event, subscriptionError(data));
      else if (!isReserved(event)) this.emit(event, data);
    }
  }

  #refused(reason: string | undefined, message: string): void {
    let pause = reason !== undefined && TEMPORARY.includes(reason) ? 0 : undefined;
    if (reason === 'grant_revoked' && !this.#wasRevoked) {
      this.#wasRevoked = true;
      pause = REVOKED_SECOND;
    }
    this.#fail(new CountersignError('signin_refused', message, 0, pause, undefined, { reason }));
  }

  #begin(): void {
    const { socketId } = this.#owner;
    if (!socketId) return;
    this.#endAttempt();
    this.#attempt = new Attempt(
      this.#owner,
      (signal) => this.#request(socketId, signal),
      (frame) => this.#owner.send(frame),
      (error) => this.#fail(error),
    );
  }

  /** Gets the frame by which the user signs in. */
  async #request(socketId: string, signal: AbortSignal): Promise<string> {
    const { token, authorizer } = this.#owner;
    if (!token) {
      const { auth, user_data } = await authorizer.user({ socketId }, signal);
      return encode('pusher:signin', { auth, user_data });
    }
    try {
      return encode('countersign:authenticate', { token: await token() });
    } catch (error) {
      throw unanswered('token', error);
    }
  }

  #signedIn(data: unknown): void {
    // Members and listeners never see the claims of a grant.
    const { countersign: _, ...user } = asObject(data) ?? {};
    if (typeof user['id'] !== 'string' || !user['id']) {
      return this.#fail(new CountersignError('signin_refused', 'No user id'));
    }
    this.#endAttempt(true);
    this.#wasRevoked = false;
    const isRenewal = this.#data !== undefined;
    this.#data = user as UserData;
    this.error = undefined;
    if (isRenewal) return;
    this.#owner.send(encode('pusher:subscribe', { auth: '', channel: USER_CHANNEL + user['id'] }));
    this.#outcome?.resolve(this.#data);
    this.#outcome = undefined;
    this.emit('pusher:signin_success', this.#data);
  }

  /** Ends the sign-in after a final refusal; after a temporary failure, tries again while callers wait. */
  #fail(error: CountersignError): void {
    this.#endAttempt();
    this.error = error;
    const { code, retryAfter } = error;
    this.#wanted = retryAfter !== undefined;
    if (retryAfter !== undefined) this.#owner.retries.add(this.#again, retryAfter);
    if (!this.#wanted || code === 'timeout') {
      this.#outcome?.reject(error);
      this.#outcome = this.#wanted ? deferred() : undefined;
    }
    const isHeard = this.hears('pusher:signin_error');
    this.emit('pusher:signin_error', error);
    if (!isHeard) this.#owner.signInUnheard(error);
  }

  #endAttempt(isAnswered?: boolean): void {
    this.#attempt?.end();
    this.#attempt = undefined;
    this.#owner.retries.delete(this.#again, isAnswered);
    this.#owner.renewals.delete(this.#again);
  }
}
