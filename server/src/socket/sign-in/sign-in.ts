import { whyUntrusted } from '../../access/grant.ts';
import type { RenewalProof, RightDescription } from '../../access/renewer.ts';
import type { Token } from '../../access/token.ts';
import type { LeaveReason } from '../../adapter/adapter.ts';
import { codes, Disconnect, Refusal, SubscriptionRefusal, Unavailable } from '../../errors.ts';
import { frames } from '../../protocol/frames.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import { TokenRefusal } from '../../tokens/refusal.ts';
import {
  authenticateUser,
  type SignInData,
  SignInRefusal,
  signInOf,
  type User,
  WATCHLIST_LENGTH,
} from '../proofs/authentication.ts';
import { explain } from '../proofs/proof.ts';
import { SignInRate } from '../rate-limits.ts';
import type { SessionContext, SessionParts } from '../session-context.ts';
import { type EndingSignIn, SignInTerm } from './sign-in-term.ts';

type SignInMessage = Extract<ClientMessage, { kind: 'signIn' }>;

/** A reconnecting client may by accident send the signature for its last socket id, so one failure does not close the connection. */
const MAX_FAILURES = 5;

/** What a sign-in changes in the rest of its connection. */
export interface SignInListener {
  /** The first sign-in has succeeded. */
  signedIn(): void;
  /** Another token has replaced the one before. */
  tokenRenewed(): void;
  /** The token has expired, and so has what it granted. */
  tokenExpired(): void;
}

/** The sign-in of one connection. A connection keeps the user until it ends. */
export class SignIn implements EndingSignIn {
  /** The user, once the sign-in has succeeded. */
  user: User | undefined;
  readonly #connection: SessionContext;
  readonly #parts: SessionParts;
  readonly #listener: SignInListener;
  /** The user whose seat the connection holds, or is about to take. */
  #seatOf: string | undefined;
  /** The sign-in in progress. Later sign-ins wait for it, and so do subscriptions, which depend on the user. */
  #inProgress: Promise<void> | undefined;
  readonly #rate: SignInRate;
  /** `user_data` of the last sign-in that succeeded. */
  #data: string | undefined;
  /** The life of the sign-in, if it has an end. */
  #term: SignInTerm | undefined;
  #failures = 0;
  #leaveReason: LeaveReason = 'disconnected';
  #ended = false;

  constructor(connection: SessionContext, parts: SessionParts, listener: SignInListener) {
    this.#connection = connection;
    this.#parts = parts;
    this.#rate = new SignInRate(connection.app.limits, parts.monotonic());
    this.#listener = listener;
  }

  /** The user that has signed in or is about to. */
  get userId(): string | undefined {
    return this.#seatOf;
  }

  /** Why the sign-in is not valid any more; `undefined` if it is, or there is none. */
  get whyInvalid(): Disconnect | undefined {
    const why = this.user && whyUntrusted(this.user, this.#connection.app);
    if (!why) return undefined;
    const [code, verb] = why;
    return new Disconnect(codes.unauthorized, code, `The key that signed the sign-in was ${verb}`);
  }

  get token(): Token | undefined {
    return this.user?.token;
  }

  /** Resolves when no sign-in is in progress; `undefined` if none is. */
  get settled(): Promise<void> | undefined {
    return this.#inProgress;
  }

  /**
   * Starts to sign in. The client gets an answer when it is done, or why not.
   *
   * @throws Refusal or Disconnect if the proof is not valid
   */
  start(message: SignInMessage): void {
    const { app, socketId } = this.#connection;
    this.#checkRate();
    let signIn: ReturnType<typeof authenticateUser>;
    try {
      signIn = authenticateUser(app, socketId, message, this.#parts.now());
    } catch (error) {
      throw this.#refusal(error, message);
    }
    app.keyUses.count(signIn.key.name, 'sign_in', this.#parts.now());
    void this.#enqueue(async () => {
      try {
        await this.#complete(signIn, true);
      } catch (error) {
        // Gives up a seat without a user; the next attempt takes it anew.
        if (!this.user) await this.#leave();
        this.#connection.answer(this.#refusal(error, message));
      }
    });
  }

  /**
   * Starts to sign in by a token. The client gets an answer when it is done, or why not.
   *
   * @throws Disconnect if the client signs in too often
   */
  authenticate(token: unknown): void {
    this.#checkRate();
    void this.#enqueue(async () => {
      try {
        await this.#complete(signInOf(await this.#parts.tokens.verify(this.#connection.app, token)), true);
      } catch (error) {
        if (!this.user) await this.#leave();
        this.#refuseToken(error);
      }
    });
  }

  /**
   * Replaces the sign-in by one that the backend has signed. Clients that do not understand renewal are not told.
   *
   * @throws SignInRefusal if a client that sends the proof would be refused
   */
  async renew({ auth, data }: RenewalProof): Promise<void> {
    const { app, socketId, isCapable } = this.#connection;
    const signIn = authenticateUser(app, socketId, { auth, userData: data }, this.#parts.now());
    app.keyUses.count(signIn.key.name, 'sign_in', this.#parts.now());
    await this.#enqueue(() => this.#complete(signIn, isCapable));
  }

  describe(): Pick<RightDescription, 'user_id' | 'user_data' | 'grant_id'> {
    return {
      user_id: this.user?.id ?? null,
      grant_id: this.user?.claims?.id ?? null,
      ...(this.#data !== undefined && { user_data: this.#data }),
    };
  }

  /** Takes away what the sign-in gave: the connection may have to wait for its turn to close. */
  signOut(): void {
    const { hub } = this.#parts;
    hub.watchlists.unwatch(this.#connection);
    if (this.token) this.#listener.tokenExpired();
    if (this.user)
      hub.endings.expireSignIn(this.#connection.app, this.user.id, this.user.claims?.id, this.#connection);
    this.#leaveReason = 'expired';
  }

  /** Gives up the user's seat. */
  end(): void {
    this.#ended = true;
    this.#term?.stop();
    this.#parts.hub.watchlists.unwatch(this.#connection);
    // A sign-in in progress may still take the seat, or fail; it then gives the seat up itself.
    if (!this.#inProgress) void this.#leave();
  }

  /** Runs a step when the earlier ones have ended. */
  #enqueue(step: () => Promise<void>): Promise<void> {
    const running = (this.#inProgress ?? Promise.resolve()).then(step);
    const inProgress = running
      .catch(() => {})
      .finally(() => {
        if (this.#inProgress !== inProgress) return;
        this.#inProgress = undefined;
        if (this.#ended) void this.#leave();
      });
    this.#inProgress = inProgress;
    return running;
  }

  #checkRate(): void {
    const tooMany = this.#rate.count(this.#connection.app.limits, this.#parts.monotonic());
    if (!tooMany) return;
    this.#parts.report.limitExceeded(this.#connection, 'sign_in_rate');
    throw tooMany;
  }

  /** @param isTold whether the client gets the answer to a sign-in */
  async #complete(signIn: SignInData, isTold: boolean): Promise<void> {
    const { app } = this.#connection;
    if (this.#ended) return;
    this.#parts.audit?.admit();
    if (this.user && this.user.id !== signIn.id)
      throw new SignInRefusal('user_mismatch', 'Signed in as another user already');
    const isNew = !this.user;
    this.#checkRevocations(signIn);
    if (isNew) await this.#takeSeat(signIn);
    if (this.#ended) return;
    this.#checkRevocations(signIn);
    const why = whyUntrusted(signIn, app);
    if (why) throw new SignInRefusal(why[0], `The key that signed it was ${why[1]}`);
    const { id, info, key, claims, token } = signIn;
    this.user = { id, info, key, claims, token };
    this.#beginTerm(this.user);
    this.#connection.authenticated();
    this.#parts.report.signedIn(this.#connection, signIn);
    if (isTold) this.#acknowledge(signIn);
    if (isNew) this.#listener.signedIn();
    else if (token) this.#listener.tokenRenewed();
    // The same data has the same watchlist.
    if (signIn.data === this.#data) return;
    this.#data = signIn.data;
    await this.#watch(signIn);
  }

  #acknowledge({ data, token }: SignInData): void {
    const expiresAt = this.#connection.isCapable ? this.#term?.expiresAt : undefined;
    if (data !== undefined) this.#connection.send(frames.signInSucceeded(data, expiresAt));
    else if (token) this.#connection.send(frames.authenticated(token, expiresAt ?? 0));
  }

  #beginTerm({ claims, token }: User): void {
    const { access } = this.#parts;
    this.#term?.stop();
    this.#term = undefined;
    const life = access.lifeFrom(token?.expiresAt ?? claims?.expiresAt, null);
    if (!life) return;
    this.#term = new SignInTerm(life, access, this.#connection, this);
    access.begin(this.#term);
  }

  async #takeSeat(signIn: SignInData): Promise<void> {
    if (this.#ended) return;
    this.#seatOf = signIn.id;
    await this.#parts.hub.users.signIn(this.#connection.app, signIn.id, this.#connection);
  }

  #checkRevocations(signIn: SignInData): void {
    try {
      this.#parts.access.checkSignIn(this.#connection.app, this.#connection, signIn);
    } catch (error) {
      throw error instanceof SubscriptionRefusal ? new SignInRefusal(error.code, error.message) : error;
    }
  }

  async #watch({ watchlist, watchlistCut }: SignInData): Promise<void> {
    const { watchlists } = this.#parts.hub;
    if (watchlistCut) {
      const text = `The watchlist is cut: it may have ${WATCHLIST_LENGTH} users`;
      this.#connection.send(frames.error(codes.watchlistLimit, 'watchlist_cut', text));
    }
    await watchlists.watch(this.#connection.app.id, this.#connection, watchlist);
    if (this.#ended) watchlists.unwatch(this.#connection);
  }

  async #leave(): Promise<void> {
    const userId = this.#seatOf;
    if (userId === undefined) return;
    this.#seatOf = undefined;
    await this.#parts.hub.users.signOut(this.#connection.app.id, userId, this.#connection, this.#leaveReason);
  }

  /** Answers a token by which the connection could not sign in. */
  #refuseToken(error: unknown): void {
    const { report } = this.#parts;
    const isKnown = error instanceof TokenRefusal || error instanceof SignInRefusal;
    if (!isKnown) {
      const code = error instanceof Unavailable ? 'unavailable' : 'internal_error';
      report.messageFailed(this.#connection, error);
      return this.#connection.send(frames.authenticationFailed(code, 'The token could not be verified'));
    }
    const { message } = error;
    let code = error instanceof TokenRefusal ? error.code : error.errorCode;
    if (code === 'user_mismatch') code = 'token_user';
    report.signInRefused(this.#connection, new SignInRefusal(code, message), NO_EVIDENCE);
    this.#connection.send(frames.authenticationFailed(code, message));
    this.#connection.proofRefused(message);
  }

  /** The answer to a sign-in that failed. */
  #refusal(error: unknown, { auth, userData }: SignInMessage): unknown {
    if (!(error instanceof SignInRefusal)) return error;
    const { app, socketId } = this.#connection;
    const data = typeof userData === 'string' ? userData : '';
    const mistake =
      error.explanation === undefined
        ? undefined
        : this.#parts.explain(app, { socketId, channel: undefined, data }, auth);
    this.#parts.report.signInRefused(this.#connection, error, { auth, data: userData }, mistake);
    this.#connection.proofRefused(error.message);
    this.#failures += 1;
    if (this.#failures < MAX_FAILURES)
      return new Refusal(error.code, error.errorCode, explain(error, app, mistake));
    return new Disconnect(
      codes.unauthorized,
      'too_many_refused_sign_ins',
      `Sign-in refused ${MAX_FAILURES} times: ${error.message}`,
    );
  }
}

/** A token is a secret, so observers do not get it. */
const NO_EVIDENCE = { auth: undefined, data: undefined };
