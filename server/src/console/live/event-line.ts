import type { AppEvent, ClientInfo } from '../../apps/observer.ts';
import type { RefusedPart } from '../../errors.ts';
import type { Diagnosis } from '../diagnosis/diagnosis.ts';
import type { Claim } from '../diagnosis/guesses.ts';

/** One line of the event stream; its kind decides which details it has. */
export interface EventLine extends EventDetails {
  /** Unix milliseconds. */
  readonly at: number;
  readonly kind: AppEvent['kind'];
}

interface EventDetails extends Partial<ClientInfo>, RefusedPart {
  readonly userId?: string | undefined;
  readonly channel?: string | undefined;
  /** The close code. */
  readonly code?: number;
  /** The text code of a refusal. */
  readonly errorCode?: string;
  readonly reason?: string;
  readonly diagnosis?: Diagnosis | undefined;
  readonly method?: string;
  readonly path?: string;
  readonly status?: number;
  readonly name?: string;
  readonly data?: string;
  /** Bytes of `data`, all of it. */
  readonly bytes?: number;
  /** Connections that were subscribed when it was published; `undefined` if nobody counted. */
  readonly receivers?: number | undefined;
  /** The socket id of the client that published. */
  readonly sender?: string | undefined;
}

/** Characters of an untrusted text that are sent. */
const MAX_TEXT = 2000;

/** An invalid proof, and its claim. */
export interface Unproven {
  readonly claim: Claim;
  readonly auth: unknown;
}

/** @param diagnosis of the proof, if the event is a refusal */
export function eventLineOf(event: AppEvent, at: number, diagnosis?: Diagnosis): EventLine {
  const { kind } = event;
  const line = { at, kind };
  switch (kind) {
    case 'requestRefused': {
      const { method, path, status, errorCode, reason, part } = event;
      return { ...line, method, path: clip(path), status, errorCode, reason: clip(reason), ...part };
    }
    case 'published': {
      const { channel, name, data, sender } = event;
      return { ...line, channel, name, data: clip(data), bytes: Buffer.byteLength(data), sender };
    }
    case 'subscriptionRefused':
    case 'signInRefused': {
      const { who, errorCode, reason, part } = event;
      const channel = kind === 'subscriptionRefused' ? clip(event.channel) : undefined;
      return {
        ...line,
        ...describe(who),
        channel,
        errorCode,
        reason: clip(reason),
        ...part,
        diagnosis: diagnosis && short(diagnosis),
      };
    }
    default: {
      const { who, ...details } = event;
      return { ...details, ...line, ...describe(who) };
    }
  }
}

/** The invalid proof of an event, if there is one to diagnose. */
export function unprovenOf(event: AppEvent): Unproven | undefined {
  const { kind } = event;
  if ((kind !== 'subscriptionRefused' && kind !== 'signInRefused') || !event.unproven) return undefined;
  const { who, evidence } = event;
  const channel = kind === 'subscriptionRefused' ? event.channel : undefined;
  const data = typeof evidence.data === 'string' ? evidence.data : '';
  return { claim: { socketId: who.socketId, channel, data }, auth: evidence.auth };
}

function short(diagnosis: Diagnosis): Diagnosis {
  const { expected, signed } = diagnosis;
  return { ...diagnosis, expected: clip(expected), ...(signed !== undefined && { signed: clip(signed) }) };
}

function describe({ socketId, key, client, address }: ClientInfo): ClientInfo {
  return { socketId, key, client: clip(client), address };
}

function clip(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
