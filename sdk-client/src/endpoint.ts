import type { Clock } from './clock.ts';
import type { Credentials, Fields } from './credentials.ts';
import { type CountersignError, failure, isTemporary, unanswered } from './errors.ts';
import type { Fetch } from './platform.ts';
import { parseJson } from './protocol.ts';

/** How one of the app's endpoints is asked. */
export interface EndpointOptions {
  /** Answers `POST` of form fields with a status of success and JSON. Outside browsers it must be a whole URL. */
  readonly endpoint?: string | undefined;
  /** Sent with each request. */
  readonly headers?: Fields | undefined;
  /** Form fields sent with each request. */
  readonly params?: Fields | undefined;
  /** Called for each request; wins over `headers`. */
  readonly headersProvider?: (() => Fields | Promise<Fields>) | undefined;
  /** Called for each request; wins over `params`. */
  readonly paramsProvider?: (() => Fields | Promise<Fields>) | undefined;
  /** Whether cookies go along; `include` also to another origin. @default that of `fetch`, 'same-origin' */
  readonly credentials?: 'omit' | 'same-origin' | 'include' | undefined;
}

export interface EndpointSettings {
  readonly fetch: Fetch;
  readonly clock: Clock;
}

/** No `Retry-After` is obeyed for longer, in ms: a date that is wrong must not end a subscription. */
const LONGEST_PAUSE = 3_600_000;

/** One of the app's endpoints. */
export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #settings: EndpointSettings;
  readonly #credentials: Credentials;

  constructor(options: EndpointOptions, settings: EndpointSettings, credentials: Credentials) {
    this.#options = options;
    this.#settings = settings;
    this.#credentials = credentials;
  }

  /**
   * What it answers with a status of success, whatever it is. After a 401 it is asked once more with new credentials.
   *
   * @throws CountersignError `auth_failed`
   */
  async post(fields: Fields, signal: AbortSignal): Promise<unknown> {
    for (let isRepeated = false; ; isRepeated = true) {
      const { headers } = this.#credentials;
      let error: CountersignError;
      try {
        const response = await this.#fetch(fields, headers, signal);
        const { status, redirected } = response;
        if (status >= 200 && status < 300 && !redirected) {
          const answer = parseJson(await response.text());
          this.#credentials.accepted();
          return answer;
        }
        // A browser says nothing about a redirect that it does not follow, not even its status.
        error =
          !status || redirected || (status > 299 && status < 400)
            ? failure(
                `${this.#options.endpoint} redirects (${response.headers?.get('Location')}), which is not followed`,
                status,
              )
            : this.refusal(status, response.headers?.get('Retry-After'));
      } catch (reason) {
        error = unanswered(this.#options.endpoint, reason);
      }
      if (error.status !== 401 || isRepeated) throw error;
      await this.#credentials.renew(headers, error);
    }
  }

  /** An answer with a status of failure. */
  refusal(status: number, retryAfter?: string | null): CountersignError {
    const pause = msOf(retryAfter, this.#settings.clock.wall());
    const message = `${this.#options.endpoint} answered with status ${status}`;
    return failure(message, status, isTemporary(status) ? pause : undefined);
  }

  async #fetch(fields: Fields, renewed: Fields, signal: AbortSignal): ReturnType<Fetch> {
    const { endpoint = '', headers, headersProvider, params, paramsProvider, credentials } = this.#options;
    const sent: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
    // In small letters, because the same name in other letters is the same header, and the last one wins.
    for (const more of [headers, await headersProvider?.(), renewed])
      for (const [name, value] of present(more)) sent[name.toLowerCase()] = value;
    const init = {
      method: 'POST',
      headers: sent,
      // Spaces become `%20`, which every form decoder reads, not `+`.
      body: present({ ...fields, ...params, ...(await paramsProvider?.()) })
        .map((pair) => pair.map(encodeURIComponent).join('='))
        .join('&'),
      // What tells who is asking is meant for this endpoint, and not for whatever it redirects to.
      redirect: 'manual',
      // Not named where it was not asked for: some platforms refuse a request that names it.
      ...(credentials && { credentials }),
    } as const;
    // Not as a method of anything, which browsers refuse.
    const { fetch } = this.#settings;
    return fetch(endpoint, { ...init, signal }).catch((error) => {
      // Where two environments are mixed, `fetch` may not know the other's signal. It goes without, then.
      if (signal.aborted || !/signal/i.test(error)) throw error;
      return fetch(endpoint, init);
    });
  }
}

/** The fields that have a value. */
function present(fields: Fields | undefined): [string, string][] {
  return Object.entries(fields ?? {}).filter((field): field is [string, string] => field[1] != null);
}

/** `Retry-After`, which is a number of seconds or a date, in ms from now; 0 if it says nothing. */
function msOf(retryAfter: string | null | undefined, now: number): number {
  const ms = Number(retryAfter) * 1000 || Date.parse(String(retryAfter)) - now || 0;
  return Math.min(Math.max(0, ms), LONGEST_PAUSE);
}
