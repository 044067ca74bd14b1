import { codes, Disconnect, Refusal } from '../errors.ts';
import { increment } from '../metrics.ts';
import { frames } from '../protocol/frames.ts';
import type { ClientMessage } from '../protocol/messages.ts';
import {
  authenticateUser,
  explain,
  type SignInData,
  SignInRefusal,
  type User,
  WATCHLIST_LENGTH,
} from './authorization.ts';
import type { Connection } from './connection.ts';
import type { SessionParts } from './session.ts';
import { TokenBucket } from './token-bucket.ts';

type SignInMessage = Extract<ClientMessage, { kind: 'signIn' }>;

/** A reconnecting client may by accident sign in with what was signed for its last socket id, so one failure is no reason to close. */
const MAX_FAILURES = 5;

/** Who a connection is: one user, from his sign-in to the connection's end. */
export class SignIn {
  /** Who it has signed in as. */
  user: User | undefined;
  readonly #connection: Connection;
  readonly #parts: SessionParts;
  readonly #onSignedIn: () => void;
  /** Whose seat it has, or is about to take. */
  #seatOf: string | undefined;
  /** The sign-in under way; another one waits for it, and so does whatever asks who the user is. */
  #underWay: Promise<void> | undefined;
  readonly #rate: TokenBucket;
  /** `user_data` of the last sign-in that succeeded. */
  #data: string | undefined;
  #failures = 0;
  #ended = false;

  /** @param onSignedIn is told when it is known who the connection is */
  constructor(connection: Connection, parts: SessionParts, onSignedIn: () => void) {
    this.#connection = connection;
    this.#parts = parts;
    this.#rate = new TokenBucket(connection.app.limits.signInsPerMinute, parts.monotonic());
    this.#onSignedIn = onSignedIn;
  }

  /** Who it is, or is about to be. */
  get userId(): string | undefined {
    return this.#seatOf;
  }

  /** Whether the key that signed who it is, if one did, is still one of the app. */
  get stands(): boolean {
    return !this.user || this.#connection.app.accepts(this.user.key);
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
    let signIn: SignInData;
    try {
      signIn = authenticateUser(app, socketId, message);
    } catch (error) {
      throw this.#refusal(error, message);
    }
    app.keyUses.count(signIn.key.name, 'users', this.#parts.now());
    const underWay = (this.#underWay ?? Promise.resolve())
      .then(() => this.#enter(signIn))
      .catch(async (error: unknown) => {
        // A seat that was taken for nobody is given up, and whoever tries again takes it anew.
        if (!this.user) await this.#leave();
        this.#connection.answer(this.#refusal(error, message));
      })
      .finally(() => {
        if (this.#underWay !== underWay) return;
        this.#underWay = undefined;
        if (this.#ended) void this.#leave();
      });
    this.#underWay = underWay;
  }

  /** Gives up the user's seat. */
  end(): void {
    this.#ended = true;
    this.#parts.hub.watchlists.unwatch(this.#connection);
    // What is under way may still take the seat, or fail: it gives it up when it is done.
    if (!this.#underWay) void this.#leave();
  }

  /** Each sign-in is a proof to check and an answer as long as its data. */
  #checkRate(): void {
    const { app, metrics } = this.#connection;
    const { signInsPerMinute: rate } = app.limits;
    if (this.#rate.take(rate, rate / 60, this.#parts.monotonic())) return;
    increment(metrics.refusals, 'sign_in_rate');
    throw new Disconnect(codes.overCapacity, `Too many sign-ins: at most ${rate} a minute`);
  }

  async #enter(signIn: SignInData): Promise<void> {
    const { app } = this.#connection;
    const { log } = this.#parts;
    if (this.#ended) return;
    if (this.user && this.user.id !== signIn.id) throw new SignInRefusal('Signed in as another user already');
    await this.#checkBlocks(signIn);
    const isNew = !this.user;
    if (isNew) await this.#takeSeat(signIn);
    if (this.#ended) return;
    if (!app.accepts(signIn.key)) throw new SignInRefusal('The key that signed it was removed');
    this.user = { id: signIn.id, info: signIn.info, key: signIn.key };
    this.#connection.authenticated();
    log.debug({ ...this.#connection.ids, userId: signIn.id }, 'signed in');
    app.observer?.observe({ kind: 'signedIn', who: this.#connection, userId: signIn.id });
    this.#connection.send(frames.signInSucceeded(signIn.data));
    if (isNew) this.#onSignedIn();
    // Whoever says the same again has his watchlist already.
    if (signIn.data === this.#data) return;
    this.#data = signIn.data;
    await this.#watch(signIn);
  }

  async #takeSeat(signIn: SignInData): Promise<void> {
    if (this.#ended) return;
    this.#seatOf = signIn.id;
    await this.#parts.hub.users.signIn(this.#connection.app.id, signIn.id, this.#connection);
    // Who was thrown out meanwhile with a block was not found, since he had no seat yet.
    await this.#checkBlocks(signIn);
  }

  async #checkBlocks({ id }: SignInData): Promise<void> {
    const block = await this.#parts.adapter.blocks.find(this.#connection.app.id, id);
    if (block) throw new SignInRefusal(block.reason);
  }

  async #watch({ watchlist, watchlistCut }: SignInData): Promise<void> {
    const { app } = this.#connection;
    if (watchlistCut) {
      const text = `The watchlist is cut: it may have ${WATCHLIST_LENGTH} users`;
      this.#connection.send(frames.error(codes.watchlistLimit, text));
    }
    await this.#parts.hub.watchlists.watch(app.id, this.#connection, watchlist);
    if (this.#ended) this.#parts.hub.watchlists.unwatch(this.#connection);
  }

  async #leave(): Promise<void> {
    const userId = this.#seatOf;
    if (userId === undefined) return;
    this.#seatOf = undefined;
    const { app } = this.#connection;
    await this.#parts.hub.users.signOut(app.id, userId, this.#connection, 'disconnected');
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
    app.observer?.observe({
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
