import { Attempt, type AttemptSettings } from '../connection/attempt.ts';
import { type CountersignError, unanswered } from '../errors.ts';

/** Headers or form fields by name. A field that is null or undefined is not sent. */
export type Fields = Readonly<Record<string, string | null | undefined>>;

/**
 * How the client renews the credentials that it sends to the app's endpoints.
 *
 * @example
 * ```ts
 * const auth: AuthOptions = {
 *   refresh: async () => (await fetch('/token', { method: 'POST' })).text(),
 * };
 * new Countersign('key-1', { host: 'channels.example.com', auth });
 * ```
 */
export interface AuthOptions {
  /**
   * Called when an endpoint responds with 401, once for all requests that were refused; each is repeated once. It returns
   * a token (sent as `Authorization: Bearer …`), or headers, which override all others, or null if the user is signed out;
   * the client then emits `signedOut`. `cause` is the refusal.
   */
  readonly refresh?: ((cause: CountersignError) => Promise<string | Fields | null>) | undefined;
}

export interface CredentialsSettings extends AttemptSettings {
  readonly auth: AuthOptions;
}

/** The renewed credentials for the app's endpoints, in addition to cookies and the endpoint's own options. */
export class Credentials {
  readonly #settings: CredentialsSettings;
  readonly #onSignedOut: () => void;
  #headers: Fields = {};
  #renewal: Promise<void> | undefined;
  #attempt: Attempt<string | Fields | null> | undefined;
  /** Whether the last renewal found the user signed out, and no endpoint has accepted a request since. */
  signedOut = false;

  constructor(settings: CredentialsSettings, onSignedOut: () => void) {
    this.#settings = settings;
    this.#onSignedOut = onSignedOut;
  }

  /** The renewed headers: a new object after each renewal. */
  get headers(): Fields {
    return this.#headers;
  }

  /** Notes that an endpoint accepted the credentials. */
  accepted(): void {
    this.signedOut = false;
  }

  /**
   * Renews the credentials, unless that is in progress or was done after the refused headers were sent.
   *
   * @throws CountersignError `cause` without `refresh` or if the user is signed out; `auth_failed` if `refresh` fails
   */
  renew(refused: Fields, cause: CountersignError): Promise<void> {
    const { refresh } = this.#settings.auth;
    const isOld = refused !== this.#headers;
    if (!refresh || (isOld && this.signedOut)) return Promise.reject(cause);
    if (isOld) return Promise.resolve();
    this.#renewal ??= this.#renew(refresh, cause);
    return this.#renewal;
  }

  /** Aborts a renewal in progress. */
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
