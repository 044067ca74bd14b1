import type { AppEvent, ClientInfo } from '../../apps/observer.ts';
import type { Diagnosis } from '../diagnosis/diagnosis.ts';
import type { Claim } from '../diagnosis/guesses.ts';

/** A sighting as the pages of the console get it: one line of the event stream. */
export interface EventLine {
  /** Unix milliseconds. */
  readonly at: number;
  readonly kind: AppEvent['kind'];
  readonly [detail: string]: unknown;
}

/** Characters of a text from outside that are shown. */
const MAX_TEXT = 2000;

/** A refusal whose proof did not hold, and what it was to prove. */
export interface Unproven {
  readonly claim: Claim;
  readonly auth: unknown;
}

/** @param diagnosis what was found out about a proof */
export function eventLineOf(sighting: AppEvent, at: number, diagnosis?: Diagnosis): EventLine {
  const { kind } = sighting;
  const line = { at, kind };
  switch (kind) {
    case 'requestRefused': {
      const { method, path, status, reason } = sighting;
      return { ...line, method, path: clip(path), status, reason: clip(reason) };
    }
    case 'published': {
      const { channel, name, data, sender } = sighting;
      return { ...line, channel, name, data: clip(data), sender };
    }
    case 'subscriptionRefused':
    case 'signInRefused': {
      const { who, reason } = sighting;
      const channel = kind === 'subscriptionRefused' ? clip(sighting.channel) : undefined;
      return {
        ...line,
        ...describe(who),
        channel,
        reason: clip(reason),
        diagnosis: diagnosis && short(diagnosis),
      };
    }
    default: {
      const { who, ...details } = sighting;
      return { ...details, ...line, ...describe(who) };
    }
  }
}

/** What can be looked into of a sighting, if anything. */
export function unprovenOf(sighting: AppEvent): Unproven | undefined {
  const { kind } = sighting;
  if ((kind !== 'subscriptionRefused' && kind !== 'signInRefused') || !sighting.unproven) return undefined;
  const { who, evidence } = sighting;
  const channel = kind === 'subscriptionRefused' ? sighting.channel : undefined;
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
