import type { Endpoint } from './endpoint.ts';
import { CountersignError } from './errors.ts';
import { asObject } from './protocol.ts';

/** A signature for a private or presence channel is wanted on one connection. */
export interface ChannelRequest {
  readonly socketId: string;
  readonly channelName: string;
}

interface Waiting extends ChannelRequest {
  readonly signal: AbortSignal;
  resolve(answer: unknown): void;
  reject(error: CountersignError): void;
}

/** Channels in one request. */
const MAX_CHANNELS = 200;
/** The endpoint may well understand, but not now. */
const NOT_NOW = [0, 429, 502, 503, 504];

/** Channels that ask in the same tick share one request, as far as the app's endpoint understands that. */
export class Batch {
  readonly #endpoint: Endpoint;
  #enabled: boolean;
  #waiting: Waiting[] = [];

  constructor(endpoint: Endpoint, enabled: boolean) {
    this.#endpoint = endpoint;
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
    for (const one of waiting) this.#askAlone(one);
  }

  #askAlone({ socketId, channelName, signal, resolve, reject }: Waiting): void {
    this.#endpoint.post({ socket_id: socketId, channel_name: channelName }, signal).then(resolve, reject);
  }

  /** Never rejects: each of those that wait is told. */
  async #askTogether(waiting: Waiting[]): Promise<void> {
    const fields: Record<string, string> = { socket_id: waiting[0]!.socketId };
    for (const [index, { channelName }] of waiting.entries()) fields[`channel_name[${index}]`] = channelName;
    // It goes on while anybody waits for it.
    const group = new AbortController();
    let wanted = waiting.length;
    for (const { signal } of waiting) signal.addEventListener('abort', () => --wanted || group.abort());
    const answer = await this.#endpoint
      .post(fields, group.signal, NOT_NOW)
      .catch((error: CountersignError) => error);
    const refused = answer instanceof CountersignError ? answer.status : 200;
    if (refused === 401 || NOT_NOW.includes(refused)) {
      for (const { reject } of waiting) reject(answer as CountersignError);
      return;
    }
    let understood = false;
    for (const one of waiting) {
      const { status, data } = asObject(asObject(answer)?.[one.channelName]) ?? {};
      understood ||= typeof status === 'number';
      if (status === 200) one.resolve(data);
      else if (status === 403) one.reject(this.#endpoint.refusal(status));
      else this.#askAlone(one);
    }
    // A fault inside the endpoint says nothing about what it understands.
    if (!understood && refused < 500) this.#enabled = false;
  }
}
