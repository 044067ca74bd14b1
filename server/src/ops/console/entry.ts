import type { App } from '../../apps/app.ts';
import type { Evidence, Sighting, Sitter } from '../../apps/witness.ts';
import type { Claim, Surroundings } from './candidates.ts';
import { type Diagnosis, diagnose } from './diagnosis.ts';

/** A sighting as the pages of the console get it: one line of the event stream. */
export interface Entry {
  /** Unix milliseconds. */
  readonly at: number;
  readonly kind: Sighting['kind'];
  readonly [detail: string]: unknown;
}

/** Characters of a text from outside that are shown. */
const MAX_TEXT = 2000;

/** What a proof is compared with; `undefined` when there is no time for it. */
export type Examine = () => { readonly app: App; readonly surroundings: Surroundings } | undefined;

export function entryOf(sighting: Sighting, at: number, examine: Examine): Entry {
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
      const { who, reason, evidence, unproven } = sighting;
      const channel = kind === 'subscriptionRefused' ? sighting.channel : undefined;
      const claim = { socketId: who.socketId, channel, data: textOf(evidence) };
      const diagnosis = unproven ? diagnosisOf(claim, evidence, examine) : undefined;
      return {
        ...line,
        ...describe(who),
        channel: channel === undefined ? undefined : clip(channel),
        reason: clip(reason),
        diagnosis,
      };
    }
    default: {
      const { who, ...details } = sighting;
      return { ...details, ...line, ...describe(who) };
    }
  }
}

function diagnosisOf(claim: Claim, { auth }: Evidence, examine: Examine): Diagnosis | undefined {
  const means = examine();
  if (!means) return undefined;
  const diagnosis = diagnose(means.app, claim, auth, means.surroundings);
  const { expected, signed } = diagnosis;
  return { ...diagnosis, expected: clip(expected), ...(signed !== undefined && { signed: clip(signed) }) };
}

function textOf({ data }: Evidence): string {
  return typeof data === 'string' ? data : '';
}

function describe({ socketId, key, client, address }: Sitter): Sitter {
  return { socketId, key, client: clip(client), address };
}

function clip(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
