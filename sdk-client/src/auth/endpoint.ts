import type { Clock } from '../connection/clock.ts';
import { asObject, parseJson } from '../connection/protocol.ts';
import { type CountersignError, failure, isTemporary, wordsOf } from '../errors.ts';
import type { Fetch } from '../platform.ts';
import type { Credentials, Fields } from './credentials.ts';

/** How the client sends requests to one of the app's endpoints. */
export interface EndpointOptions {
  /** URL that accepts `POST` of form fields and responds with 2xx and JSON. Outside browsers it must be absolute. */
  readonly endpoint?: string | undefined;
  /** Headers of each request. */
  readonly headers?: Fields | undefined;
  /** Form fields of each request. */
  readonly params?: Fields | undefined;
  /** Called for each request; overrides `headers`. */
  readonly headersProvider?: (() => Fields | Promise<Fields>) | undefined;
  /** Called for each request; overrides `params`. */
  readonly paramsProvider?: (() => Fields | Promise<Fields>) | undefined;
  /** Whether requests carry cookies; `include` also to another origin. @default that of `fetch`, 'same-origin' */
  readonly credentials?: 'omit' | 'same-origin' | 'include' | undefined;
}

export interface EndpointSettings {
  readonly fetch: Fetch;
  readonly clock: Clock;
}

/** Upper bound of `Retry-After`, in ms: a wrong date must not end a subscription. */
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
   * Sends a request and resolves with the parsed body of a 2xx response. After a 401 it repeats the request once with new credentials.
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
        // Browsers hide everything about a redirect that they do not follow, even its status.
        error =
          !status || redirected || (status > 299 && status < 400)
            ? this.#redirected(status, response.headers?.get('Location'))
            : this.refusal(
                status,
                await response.text().catch(() => ''),
                response.headers?.get('Retry-After'),
              );
      } catch (cause) {
        const { url } = this;
        error = failure(
          `${url} did not answer: ${cause}`,
          0,
          { reason: 'endpoint_unreachable', url },
          0,
          cause,
        );
      }
      if (error.status !== 401 || isRepeated) throw error;
      await this.#credentials.renew(headers, error);
    }
  }

  /** Where it is, without the query: that may hold credentials. */
  get url(): string {
    return String(this.#options.endpoint).replace(/[?#].*/, '');
  }

  /**
   * The error for a response with a status of failure.
   *
   * @param body its text, or what it said of one channel
   */
  refusal(status: number, body: unknown, retryAfter?: string | null): CountersignError {
    const pause = msOf(retryAfter, this.#settings.clock.wall());
    const { url } = this;
    const said = reasonIn(body);
    return failure(
      `${url} responded with status ${status}${said && `: ${said}`}`,
      status,
      { reason: 'endpoint_refused', url, body: typeof body === 'string' ? body : said },
      isTemporary(status) ? pause : undefined,
    );
  }

  #redirected(status: number, location: string | null | undefined): CountersignError {
    const { url } = this;
    const where = location ? `to ${location.replace(/[?#].*/, '')}` : 'the browser hides where to';
    return failure(`${url} redirects (${where}), which is not followed`, status, {
      reason: 'endpoint_redirected',
      url,
    });
  }

  async #fetch(fields: Fields, renewed: Fields, signal: AbortSignal): ReturnType<Fetch> {
    const { endpoint = '', headers, headersProvider, params, paramsProvider, credentials } = this.#options;
    const sent: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
    // In lower case, because names differ by case only for the same header; the last value wins.
    for (const more of [headers, await headersProvider?.(), renewed])
      for (const [name, value] of present(more)) sent[name.toLowerCase()] = value;
    const init = {
      method: 'POST',
      headers: sent,
      // Spaces become `%20`, not `+`: every form decoder reads that.
      body: present({ ...fields, ...params, ...(await paramsProvider?.()) })
        .map((pair) => pair.map(encodeURIComponent).join('='))
        .join('&'),
      // Credentials must not reach the target of a redirect.
      redirect: 'manual',
      // Some platforms refuse requests with this field.
      ...(credentials && { credentials }),
    } as const;
    // Browsers refuse to call `fetch` as a method of another object.
    const { fetch } = this.#settings;
    return fetch(endpoint, { ...init, signal }).catch((error) => {
      // In a test environment `fetch` may refuse signals of another realm; the request goes without one then.
      if (signal.aborted || !/signal/i.test(error)) throw error;
      return fetch(endpoint, init);
    });
  }
}

/** An endpoint's own words on a failure: `error` or `message` of its JSON, or the first words of its page. */
function reasonIn(body: unknown): string {
  const value = parseJson(body);
  const { error, message } = asObject(value) ?? {};
  const said = [error, asObject(error)?.['message'], message, value].find((text) => typeof text === 'string');
  return wordsOf(String(said ?? ''));
}

/** Returns the fields that have a value. */
function present(fields: Fields | undefined): [string, string][] {
  return Object.entries(fields ?? {}).filter((field): field is [string, string] => field[1] != null);
}

/** Converts `Retry-After`, which is seconds or a date, to ms from now; 0 if it is absent or invalid. */
function msOf(retryAfter: string | null | undefined, now: number): number {
  const ms = Number(retryAfter) * 1000 || Date.parse(String(retryAfter)) - now || 0;
  return Math.min(Math.max(0, ms), LONGEST_PAUSE);
}
