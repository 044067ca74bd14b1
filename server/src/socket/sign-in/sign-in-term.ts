import type { Access } from '../../access/access.ts';
import type { EndingRight, RenewalProof, RightDescription } from '../../access/renewer.ts';
import { type Life, type RenewalTimes, Term } from '../../access/term.ts';
import type { Token } from '../../access/token.ts';
import type { App } from '../../apps/app.ts';
import { codes, Disconnect } from '../../errors.ts';
import { frames } from '../../protocol/frames.ts';
import type { SessionContext } from '../session-context.ts';

/** A sign-in, as far as its life concerns it. */
export interface EndingSignIn {
  /** The token that made it, if it was no signature. */
  readonly token: Token | undefined;
  /** Describes it to the backend. */
  describe(): Pick<RightDescription, 'user_id' | 'user_data' | 'grant_id'>;
  /** Replaces it by one that the backend has signed. @throws Refusal or Disconnect */
  renew(proof: RenewalProof): Promise<void>;
  /** Takes away what it granted: the connection may have to wait for its turn to close. */
  signOut(): void;
}

/** The life of one sign-in. */
export class SignInTerm extends Term implements EndingRight {
  readonly #access: Access;
  readonly #connection: SessionContext;
  readonly #signIn: EndingSignIn;

  constructor(life: Life, access: Access, connection: SessionContext, signIn: EndingSignIn) {
    super(life);
    this.#access = access;
    this.#connection = connection;
    this.#signIn = signIn;
  }

  get app(): App {
    return this.#connection.app;
  }

  describe(): RightDescription {
    return {
      socket_id: this.socketId,
      expires_at: this.expiresAt,
      ...this.#signIn.describe(),
    };
  }

  renew(proof: RenewalProof): Promise<void> {
    return this.#signIn.renew(proof);
  }

  refuse(reason: string): void {
    this.#connection.answer(new Disconnect(codes.unauthorized, 'grant_refused', reason));
  }

  override stop(): void {
    this.#access.cancel(this);
  }

  override close(): void {
    if (this.#signIn.token)
      this.#connection.reconnect('token_expired', 'The token expires: please reconnect');
    else this.#connection.reconnect('grant_expired', 'The sign-in expires: please reconnect');
  }

  protected override get socketId(): string {
    return this.#connection.socketId;
  }

  protected override get isAnnounced(): boolean {
    return this.#connection.isCapable;
  }

  protected override get reconnects(): boolean {
    const { grants, tokens } = this.app;
    return this.#signIn.token ? tokens?.reconnects === true : grants.onExpiry === 'reconnect';
  }

  protected override get renewal(): RenewalTimes | undefined {
    // A backend signs; it does not issue tokens.
    return this.#signIn.token ? undefined : this.app.renewal;
  }

  protected override askBackend(): void {
    this.#access.askBackend(this);
  }

  protected override announce(): void {
    this.#connection.send(frames.authenticationExpiring(this.expiresAt));
  }

  protected override reconnect(): void {
    this.#access.reconnect(this);
  }

  protected override end(): void {
    this.#signIn.signOut();
    if (this.reconnects) return;
    const [code, why] = this.#signIn.token
      ? (['token_expired', 'The token has expired'] as const)
      : (['grant_expired', 'The sign-in has expired'] as const);
    this.#connection.answer(new Disconnect(codes.unauthorized, code, why));
  }
}
