import { Attempt, type AttemptSettings } from './attempt.ts';
import { type CountersignError, unanswered } from './errors.ts';

/** Names of headers or form fields, and their values. */
export type Fields = Readonly<Record<string, string>>;

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
  #signedOut = false;

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
    this.#signedOut = false;
  }

  /**
   * Renews them, unless that has been done since the refused headers were sent, or is under way.
   *
   * @throws CountersignError `cause` if there is nothing to renew with or nobody is signed in, or why it failed
   */
  renew(refused: Fields, cause: CountersignError): Promise<void> {
    if (refused === this.#headers) {
      this.#renewal ??= this.#renew(cause).finally(() => {
        this.#renewal = undefined;
      });
      return this.#renewal;
    }
    return this.#signedOut ? Promise.reject(cause) : Promise.resolve();
  }

  async #renew(cause: CountersignError): Promise<void> {
    const { refresh } = this.#settings.auth;
    if (!refresh) throw cause;
    let attempt: Attempt<string | Fields | null> | undefined;
    const answer = await new Promise<string | Fields | null>((resolve, reject) => {
      attempt = new Attempt(this.#settings, async () => refresh(cause), resolve, reject);
    })
      .catch((error) => {
        throw unanswered('auth.refresh', error, cause.status);
      })
      .finally(() => attempt?.end());
    const wasSignedOut = this.#signedOut;
    this.#signedOut = answer === null;
    this.#headers = typeof answer === 'string' ? { Authorization: `Bearer ${answer}` } : { ...answer };
    if (answer !== null) return;
    if (!wasSignedOut) this.#onSignedOut();
    throw cause;
  }
}
