import type { AttemptSettings } from '../connection/attempt.ts';
import { asObject } from '../connection/protocol.ts';
import { type CountersignError, isTemporary } from '../errors.ts';
import type { Credentials } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';
import type { ChannelRequest } from './grants.ts';

interface Waiting extends ChannelRequest {
  readonly signal: AbortSignal;
  resolve(answer: unknown): void;
  reject(error: CountersignError): void;
}

/** Channels in one request. */
const MAX_CHANNELS = 200;

/**
 * Sends one request for all channels that ask in the same tick, if the app's endpoint understands that. Until the
 * endpoint has answered one such request well, a failure of it is never the answer for a single channel.
 */
export class Batch {
  readonly #endpoint: Endpoint;
  readonly #credentials: Credentials;
  readonly #settings: AttemptSettings;
  #enabled: boolean;
  /** Whether the endpoint has ever answered a request for several channels well. */
  #isProven = false;
  /** Whether the last request for several channels got no good answer. */
  #isDoubted = false;
  #waiting: Waiting[] = [];

  constructor(endpoint: Endpoint, credentials: Credentials, settings: AttemptSettings, enabled: boolean) {
    this.#endpoint = endpoint;
    this.#credentials = credentials;
    this.#settings = settings;
    this.#enabled = enabled;
  }

  /** Resolves with the endpoint's answer for this channel; rejects with CountersignError `auth_failed`. */
  ask(request: ChannelRequest, signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) queueMicrotask(() => this.#begin());
      this.#waiting.push({ ...request, signal, resolve, reject });
    });
  }

  #begin(): void {
    const waiting = this.#waiting.filter(({ signal }) => !signal.aborted);
    this.#waiting = [];
    while (this.#enabled && waiting.length > 1) void this.#askTogether(waiting.splice(0, MAX_CHANNELS));
    for (const one of waiting) void this.#askAlone(one);
  }

  /** Resolves with the reason if there is no grant; never rejects. */
  #askAlone({
    socketId,
    channelName,
    signal,
    resolve,
    reject,
  }: Waiting): Promise<CountersignError | undefined> {
    return this.#endpoint.post({ socket_id: socketId, channel_name: channelName }, signal).then(
      (answer) => {
        // One channel works where several failed: the endpoint does not understand batches.
        if (this.#isDoubted) this.#enabled = false;
        resolve(answer);
        return undefined;
      },
      (error) => {
        reject(error);
        return error;
      },
    );
  }

  /** Never rejects: it settles each of `waiting`. */
  async #askTogether(waiting: Waiting[]): Promise<void> {
    const fields: Record<string, string> = { socket_id: waiting[0]!.socketId };
    for (const [index, { channelName }] of waiting.entries()) fields[`channel_name[${index}]`] = channelName;
    const group = new AbortController();
    const { clock, requestTimeout } = this.#settings;
    let wanted = waiting.length;
    let cancel!: () => void;
    let error: CountersignError | undefined;
    const answers = asObject(
      await new Promise((resolve, reject) => {
        const end = (): void => {
          cancel();
          group.abort();
          resolve(undefined);
        };
        // An endpoint that hangs on a batch may answer for one channel, in the other half of the time.
        cancel = clock.after(requestTimeout / 2, () => this.#isProven || end());
        // The request goes on while at least one channel waits for it.
        for (const { signal } of waiting) signal.addEventListener('abort', () => --wanted || end());
        this.#endpoint.post(fields, group.signal).then(resolve, reject);
      }).catch((reason) => {
        error = reason;
      }),
    );
    cancel();
    if (!wanted) return;
    this.#isDoubted = true;
    const rest = waiting.filter((one) => {
      const entry = asObject(answers?.[one.channelName]);
      const { status, data } = entry ?? {};
      const code = Number(status);
      if (code > 0) {
        this.#isProven = true;
        this.#isDoubted = false;
      }
      if (code >= 200 && code < 300) one.resolve(data);
      else if (code >= 400 && code !== 401 && !isTemporary(code))
        one.reject(this.#endpoint.refusal(code, entry));
      else return true;
      return false;
    });
    // One channel alone shows whether the endpoint does not understand batches. The others do not ask if it gets no
    // answer either, or if nobody is signed in.
    let isForAll = this.#credentials.signedOut;
    if (this.#isDoubted && !isForAll) {
      const [first] = rest.splice(0, 1);
      error = first && (await this.#askAlone(first));
      isForAll = error?.retryAfter !== undefined && !first?.signal.aborted;
    }
    for (const one of rest) {
      if (isForAll && error) one.reject(error);
      else void this.#askAlone(one);
    }
  }
}
