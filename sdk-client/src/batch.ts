import type { Credentials } from './credentials.ts';
import type { Endpoint } from './endpoint.ts';
import { type CountersignError, isTemporary } from './errors.ts';
import type { ChannelRequest } from './grants.ts';
import { asObject } from './protocol.ts';

interface Waiting extends ChannelRequest {
  readonly signal: AbortSignal;
  resolve(answer: unknown): void;
  reject(error: CountersignError): void;
}

/** Channels in one request. */
const MAX_CHANNELS = 200;

/**
 * Channels that ask in the same tick share one request, as far as the app's endpoint understands that. Until it has
 * answered one such request well, what it says to one decides for no channel.
 */
export class Batch {
  readonly #endpoint: Endpoint;
  readonly #credentials: Credentials;
  #enabled: boolean;
  /** Whether the last request for several got no good answer. */
  #isDoubted = false;
  #waiting: Waiting[] = [];

  constructor(endpoint: Endpoint, credentials: Credentials, enabled: boolean) {
    this.#endpoint = endpoint;
    this.#credentials = credentials;
    this.#enabled = enabled;
  }

  /** What the endpoint answers for this channel. Rejects with CountersignError `auth_failed`. */
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

  /** Answers why there is no grant. */
  #askAlone({
    socketId,
    channelName,
    signal,
    resolve,
    reject,
  }: Waiting): Promise<CountersignError | undefined> {
    return this.#endpoint.post({ socket_id: socketId, channel_name: channelName }, signal).then(
      (answer) => {
        // It is the number of channels, then, that it does not understand.
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

  /** Never rejects: each of those that wait is told. */
  async #askTogether(waiting: Waiting[]): Promise<void> {
    const fields: Record<string, string> = { socket_id: waiting[0]!.socketId };
    for (const [index, { channelName }] of waiting.entries()) fields[`channel_name[${index}]`] = channelName;
    // It goes on while anybody waits for it.
    const group = new AbortController();
    let wanted = waiting.length;
    for (const { signal } of waiting) signal.addEventListener('abort', () => --wanted || group.abort());
    let error: CountersignError | undefined;
    const answers = asObject(
      await this.#endpoint.post(fields, group.signal).catch((reason) => {
        error = reason;
      }),
    );
    this.#isDoubted = true;
    const rest = waiting.filter((one) => {
      const { status, data } = asObject(answers?.[one.channelName]) ?? {};
      const code = Number(status);
      if (code > 0) this.#isDoubted = false;
      if (code >= 200 && code < 300) one.resolve(data);
      else if (code >= 400 && code !== 401 && !isTemporary(code)) one.reject(this.#endpoint.refusal(code));
      else return true;
      return false;
    });
    // One by itself tells whether it was their number. The others need not ask where it gets no answer either, or where
    // nobody is signed in.
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
