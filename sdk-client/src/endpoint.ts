import { type ReconnectOptions, retryDelay } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Credentials, Fields } from './credentials.ts';
import { type CountersignError, failure, unanswered } from './errors.ts';
import type { Fetch } from './platform.ts';
import { parseJson } from './protocol.ts';

/** How one of the app's endpoints is asked. */
export interface EndpointOptions {
  /** Answers `POST` of form fields with status 200 and JSON. Outside browsers it must be a whole URL. */
  readonly endpoint?: string;
  /** Sent with each request. */
  readonly headers?: Fields | undefined;
  /** Form fields sent with each request. */
  readonly params?: Fields | undefined;
  /** Called for each request; wins over `headers`. */
  readonly headersProvider?: (() => Fields | Promise<Fields>) | undefined;
  /** Called for each request; wins over `params`. */
  readonly paramsProvider?: (() => Fields | Promise<Fields>) | undefined;
  /** Whether cookies go along; `include` also to another origin. @default 'same-origin' */
  readonly credentials?: 'omit' | 'same-origin' | 'include' | undefined;
}

export interface EndpointSettings {
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly reconnect: Required<ReconnectOptions>;
  /** Bound of one request and its repetitions, in ms. */
  readonly requestTimeout: number;
}

/** Requests until a failure is final. */
const MAX_TRIES = 4;

/** One of the app's endpoints, asked until there is an answer or a failure that is final. */
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
   * What it answers with status 200, whatever it is.
   *
   * @param repeated the statuses after which asking again may help, 0 being no answer; without, all but 401 and 403
   * @throws CountersignError `auth_failed`
   */
  async post(fields: Fields, signal: AbortSignal, repeated?: readonly number[]): Promise<unknown> {
    const { clock, reconnect, requestTimeout } = this.#settings;
    const end = clock.now() + requestTimeout;
    let renewed = false;
    for (let tries = 1; ; tries++) {
      const { headers } = this.#credentials;
      let error: CountersignError;
      let pause = 0;
      try {
        const response = await this.#fetch(fields, headers, signal);
        if (response.status === 200) {
          this.#credentials.accepted();
          return parseJson(await response.text());
        }
        error = this.refusal(response.status);
        pause = msOf(response.headers?.get('Retry-After'), clock.now());
      } catch (reason) {
        error = unanswered(this.#options.endpoint, reason);
      }
      const { status } = error;
      if (status === 401 && !renewed) {
        await this.#credentials.renew(headers, error);
        renewed = true;
        continue;
      }
      pause += retryDelay('retry', tries - 1, reconnect, clock.random());
      const isFinal = repeated ? !repeated.includes(status) : status === 401 || status === 403;
      if (isFinal || signal.aborted || tries >= MAX_TRIES || clock.now() + pause >= end) throw error;
      await sleep(clock, pause, signal);
    }
  }

  /** An answer with another status than 200. */
  refusal(status: number): CountersignError {
    return failure(`${this.#options.endpoint} answered with status ${status}`, status);
  }

  async #fetch(fields: Fields, renewed: Fields, signal: AbortSignal): ReturnType<Fetch> {
    const { endpoint = '', headers, headersProvider, params, paramsProvider, credentials } = this.#options;
    const sent = new Headers({ 'Content-Type': 'application/x-www-form-urlencoded' });
    // One by one, because the same name in other letters is the same header, and the last one wins.
    for (const more of [headers, await headersProvider?.(), renewed])
      for (const [name, value] of Object.entries(more ?? {})) sent.set(name, value);
    return this.#settings.fetch(endpoint, {
      method: 'POST',
      headers: Object.fromEntries(sent),
      body: form({ ...fields, ...params, ...(await paramsProvider?.()) }),
      credentials: credentials ?? 'same-origin',
      signal,
    });
  }
}

/** Spaces become `%20`, which every form decoder reads, not `+`. */
function form(fields: Fields): string {
  return Object.entries(fields)
    .map((pair) => pair.map(encodeURIComponent).join('='))
    .join('&');
}

/** `Retry-After`, which is a number of seconds or a date, in ms from now; 0 if it says nothing. */
function msOf(retryAfter: string | null | undefined, now: number): number {
  return Math.max(0, Number(retryAfter) * 1000 || Date.parse(String(retryAfter)) - now || 0);
}

function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    signal.addEventListener('abort', () => {
      cancel();
      resolve();
    });
  });
}
