import { codes, Disconnect, Refusal } from '../errors.ts';
import { increment } from '../hub/metrics.ts';
import { frames } from '../protocol/frames.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import {
  authenticateUser,
  explain,
  keyOf,
  type SignIn,
  SignInRefusal,
  type User,
  WATCHLIST_LENGTH,
} from './authorization.ts';
import { TokenBucket } from './bucket.ts';
import type { Connection } from './connection.ts';
import type { SessionParts } from './session.ts';

type SignInMessage = Extract<ClientMessage, { kind: 'signIn' }>;

/** A reconnecting client may by accident sign in with what was signed for its last socket id, so one failure is no reason to close. */
const MAX_FAILURES = 5;

/** Who a connection is: one user, from his sign-in to the connection's end. */
export class Identity {
  user: User | undefined;
  readonly #connection: Connection;
  readonly #parts: SessionParts;
  /** The sign-in under way; another one waits for it, and so does whatever asks who the user is. */
  #underWay: Promise<void> | undefined;
  readonly #rate: TokenBucket;
  /** `user_data` of the last sign-in that succeeded. */
  #data: string | undefined;
  #failures = 0;
  #ended = false;

  constructor(connection: Connection, parts: SessionParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.#rate = new TokenBucket(connection.app.limits.signInsPerMinute, parts.monotonic());
  }

  /** Resolves when no sign-in is under way; `undefined` if there is none. */
  get settled(): Promise<void> | undefined {
    return this.#underWay;
  }

  /**
   * Signs in, and tells the client when it is done or why not.
   *
   * @throws Refusal or Disconnect if the proof does not hold
   */
  signIn(message: SignInMessage): void {
    const { app, socketId } = this.#connection;
    this.#checkRate();
    let signIn: SignIn;
    try {
      signIn = authenticateUser(app, socketId, message);
    } catch (error) {
      throw this.#refusal(error, message);
    }
    const key = keyOf(message.auth);
    if (key !== undefined) app.keyUses.count(key, 'users', this.#parts.now());
    const underWay = (this.#underWay ?? Promise.resolve())
      .then(() => this.#enter(signIn))
      .catch((error: unknown) => this.#connection.answer(this.#refusal(error, message)))
      .finally(() => {
        if (this.#underWay !== underWay) return;
        this.#underWay = undefined;
        if (this.#ended) this.#leave();
      });
    this.#underWay = underWay;
  }

  /** Gives up the user's seat. */
  end(): void {
    this.#ended = true;
    this.#parts.hub.watchlists.unwatch(this.#connection);
    // What is under way may still take the seat, or fail: it gives it up when it is done.
    if (!this.#underWay) this.#leave();
  }

  /** Each sign-in is a proof to check and an answer as long as its data. */
  #checkRate(): void {
    const { app, metrics } = this.#connection;
    const { signInsPerMinute: rate } = app.limits;
    if (this.#rate.take(rate, rate / 60, this.#parts.monotonic())) return;
    increment(metrics.refusals, 'sign_in_rate');
    throw new Disconnect(codes.overCapacity, `Too many sign-ins: at most ${rate} a minute`);
  }

  async #enter(signIn: SignIn): Promise<void> {
    const { app } = this.#connection;
    const { hub, adapter, log } = this.#parts;
    if (this.#ended) return;
    if (this.user && this.user.id !== signIn.id) throw new SignInRefusal('Signed in as another user already');
    const block = await adapter.blocks.find(app.id, signIn.id);
    if (block) throw new SignInRefusal(block.reason);
    const isNew = !this.user;
    this.user = { id: signIn.id, info: signIn.info };
    if (isNew) {
      await hub.users.signIn(app.id, signIn.id, this.#connection);
    }
    if (this.#ended) return;
    this.#connection.authenticated();
    log.debug({ ...this.#connection.ids, userId: signIn.id }, 'signed in');
    app.witness?.saw({ kind: 'signedIn', who: this.#connection, userId: signIn.id });
    this.#connection.send(frames.signInSucceeded(signIn.data));
    // Whoever says the same again has his watchlist already.
    if (signIn.data === this.#data) return;
    this.#data = signIn.data;
    await this.#watch(signIn);
  }

  async #watch({ watchlist, watchlistCut }: SignIn): Promise<void> {
    const { app } = this.#connection;
    if (watchlistCut) {
      const text = `The watchlist is cut: it may have ${WATCHLIST_LENGTH} users`;
      this.#connection.send(frames.error(codes.watchlistLimit, text));
    }
    await this.#parts.hub.watchlists.watch(app.id, this.#connection, watchlist);
    if (this.#ended) this.#parts.hub.watchlists.unwatch(this.#connection);
  }

  #leave(): void {
    if (!this.user) return;
    void this.#parts.hub.users.signOut(
      this.#connection.app.id,
      this.user.id,
      this.#connection,
      'disconnected',
    );
  }

  /** What the client is told about a sign-in that failed. */
  #refusal(error: unknown, { auth, userData }: SignInMessage): unknown {
    if (!(error instanceof SignInRefusal)) return error;
    const { log } = this.#parts;
    const { ids, app } = this.#connection;
    log.info({ ...ids, reason: error.message }, 'sign-in refused');
    if (error.explanation) {
      log.debug({ ...ids, explanation: error.explanation }, 'sign-in refused: what would have been right');
    }
    this.#connection.proofRefused(error.message);
    app.witness?.saw({
      kind: 'signInRefused',
      who: this.#connection,
      reason: error.message,
      evidence: { auth, data: userData },
      unproven: error.explanation !== undefined,
    });
    this.#failures += 1;
    if (this.#failures < MAX_FAILURES) return new Refusal(error.code, explain(error, app.explainRefusals));
    return new Disconnect(codes.unauthorized, `Sign-in refused ${MAX_FAILURES} times: ${error.message}`);
  }
}
