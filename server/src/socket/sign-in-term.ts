import type { Access } from '../access/access.ts';
import { type Life, Term } from '../access/term.ts';
import { codes, Disconnect } from '../errors.ts';
import { frames } from '../protocol/frames.ts';
import type { SessionContext } from './session-context.ts';

/** The life of one sign-in. */
export class SignInTerm extends Term {
  readonly #access: Access;
  readonly #connection: SessionContext;
  readonly #signOut: () => void;

  /** @param signOut takes away what the sign-in gave: the connection may have to wait for its turn to close */
  constructor(life: Life, access: Access, connection: SessionContext, signOut: () => void) {
    super(life);
    this.#access = access;
    this.#connection = connection;
    this.#signOut = signOut;
  }

  override stop(): void {
    this.#access.cancel(this);
  }

  override close(): void {
    this.#connection.reconnect('grant_expired', 'The sign-in expires: please reconnect');
  }

  protected override get socketId(): string {
    return this.#connection.socketId;
  }

  protected override get isAnnounced(): boolean {
    return this.#connection.isCapable;
  }

  protected override get reconnects(): boolean {
    return this.#connection.app.grants.onExpiry === 'reconnect';
  }

  protected override announce(): void {
    this.#connection.send(frames.authenticationExpiring(this.expiresAt));
  }

  protected override reconnect(): void {
    this.#access.reconnect(this);
  }

  protected override end(): void {
    this.#signOut();
    if (!this.reconnects)
      this.#connection.answer(new Disconnect(codes.unauthorized, 'grant_expired', 'The sign-in has expired'));
  }
}
