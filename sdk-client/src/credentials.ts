import { Attempt, type AttemptSettings } from './attempt.ts';
import { type CountersignError, unanswered } from './errors.ts';

/** Names of headers or form fields, and their values. One without a value is not sent. */
export type Fields = Readonly<Record<string, string | null | undefined>>;

/** Renews what tells the app's endpoints who is asking. */
export interface AuthOptions {
  /**
   * Called when an endpoint answers 401, once for all requests that it refused; each of them is repeated once. It
   * answers a token (sent as `Authorization: Bearer …`), or headers, which win over all others; or null when the user
   * is signed out, which the client raises as `signedOut`. `cause` is the refusal.
   */
  readonly refresh?: ((cause: CountersignError) => Promise<string | Fields | null>) | undefined;
}

export interface CredentialsSettings extends AttemptSettings {
  readonly auth: AuthOptions;
}

/** What tells the app's endpoints who is asking, beside cookies and the options of each endpoint. */
export class Credentials {
  readonly #settings: CredentialsSettings;
  readonly #onSignedOut: () => void;
  #headers: Fields = {};
  #renewal: Promise<void> | undefined;
  #attempt: Attempt<string | Fields | null> | undefined;
  /** Whether the last renewal said that nobody is signed in, and no endpoint has said otherwise since. */
  signedOut = false;

  constructor(settings: CredentialsSettings, onSignedOut: () => void) {
    this.#settings = settings;
    this.#onSignedOut = onSignedOut;
  }

  /** Another object after each renewal. */
  get headers(): Fields {
    return this.#headers;
  }

  /** An endpoint knows who is asking. */
  accepted(): void {
    this.signedOut = false;
  }

  /**
   * Renews them, unless that has been done since the refused headers were sent, or is under way.
   *
   * @throws CountersignError `cause` if there is nothing to renew with or nobody is signed in, or why it failed
   */
  renew(refused: Fields, cause: CountersignError): Promise<void> {
    const { refresh } = this.#settings.auth;
    const isOld = refused !== this.#headers;
    if (!refresh || (isOld && this.signedOut)) return Promise.reject(cause);
    if (isOld) return Promise.resolve();
    this.#renewal ??= this.#renew(refresh, cause);
    return this.#renewal;
  }

  /** Ends a renewal that is under way: nobody waits for it any more. */
  end(): void {
    this.#attempt?.end();
    this.#renewal = undefined;
  }

  #renew(refresh: NonNullable<AuthOptions['refresh']>, cause: CountersignError): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#attempt = new Attempt(
        this.#settings,
        async () => refresh(cause),
        (answer) => {
          this.end();
          const wasSignedOut = this.signedOut;
          this.signedOut = answer === null;
          this.#headers = typeof answer === 'string' ? { Authorization: `Bearer ${answer}` } : { ...answer };
          if (answer !== null) return resolve();
          if (!wasSignedOut) this.#onSignedOut();
          reject(cause);
        },
        (error) => {
          this.end();
          reject(unanswered('auth.refresh', error, cause.status));
        },
      );
    });
  }
}
