import { createSecretKey, type KeyObject } from 'node:crypto';
import { verify } from '@countersign/sdk-server/signature';
import { ClaimRefusal, readClaims } from '../../access/claims.ts';
import type { App } from '../../apps/app.ts';
import { scopeMissing } from '../../apps/keys/key-scope.ts';
import type { RefusedPart } from '../../errors.ts';
import { parseObject } from '../../protocol/messages.ts';
import { type Claim, candidates, expectedText, type Guess, type RecentNames } from './guesses.ts';
import { type TextDiff, textDiff } from './text-diff.ts';

/** The diagnosis of a proof, for the developer of the backend. It never contains a secret. */
export interface Diagnosis extends RefusedPart {
  /** Whether the proof is valid, by its signature, the claims that were signed, and the scopes of its key. */
  readonly valid: boolean;
  /** One sentence. */
  readonly summary: string;
  /** The text that should have been signed. */
  readonly expected: string;
  /** The text that seems to have been signed, if it was found. */
  readonly signed?: string;
  /** Where the two differ. */
  readonly differs?: TextDiff;
  /** The key whose secret signed, if it was found. */
  readonly key?: string;
}

/** Texts that are tried. */
const MAX_TRIES = 2000;
/** Characters of the data, and of a proof, up to which texts are tried: the cost of a try grows with them. */
const MAX_DATA = 4096;
const MAX_AUTH = 1024;
/** Characters of an untrusted text that a sentence quotes. */
const QUOTED = 128;

/**
 * Finds the text that a backend has signed, by signing common mistakes with the app's own keys.
 *
 * @param auth the received proof
 */
export function diagnose(app: App, claim: Claim, auth: unknown, recentNames: RecentNames): Diagnosis {
  const steps = diagnosis(app, claim, auth, recentNames);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same in steps of some microseconds. */
export function* diagnosis(
  app: App,
  claim: Claim,
  auth: unknown,
  recentNames: RecentNames,
): Generator<void, Diagnosis> {
  const expected = expectedText(claim);
  const say = (summary: string, more: Partial<Diagnosis> = {}): Diagnosis => ({
    valid: false,
    summary,
    expected,
    ...more,
  });
  if (auth === undefined || auth === null || auth === '')
    return say('"auth" is missing: the endpoint must answer {"auth": "KEY:SIGNATURE"}.');
  if (claim.data.length > MAX_DATA)
    return say(`The data has more than ${MAX_DATA} characters: such proofs are not diagnosed.`);
  if (typeof auth !== 'string') return say('"auth" is not a string: it must be "KEY:SIGNATURE".');
  if (auth.length > MAX_AUTH) return say('"auth" is far too long: it must be "KEY:SIGNATURE".');

  const { named, signature, flaw } = readAuth(app, auth);
  if (signature === undefined)
    return say('"auth" must be KEY:SIGNATURE, with 64 lower-case hex digits after the last colon.');
  const found = yield* search(app, named, signature, claim, recentNames);
  const unknownKey = named !== undefined && !app.hasKey(named);
  if (!found) {
    return say(
      unknownKey
        ? `This app has no key "${named.slice(0, QUOTED)}", and no key of this app made the signature: is the backend configured for another app?`
        : 'The signature matches no known mistake: most likely the backend uses a different secret, or signs a different text.',
    );
  }
  const mistakes = [
    ...(found.mistake ? [found.mistake] : []),
    ...(flaw ? [flaw] : []),
    ...(unknownKey ? [`it names "${named.slice(0, QUOTED)}", which is not a key of this app`] : []),
    ...(named !== undefined && !unknownKey && named !== found.key
      ? [`it names the key ${named}, but the secret of ${found.key} signed`]
      : []),
  ];
  const { key, text } = found;
  const shown = { key, signed: text, ...(text !== expected && { differs: textDiff(text, expected) }) };
  if (mistakes.length > 0) return say(`${capital(mistakes.join('; '))}.`, shown);
  const refused = refusedPart(app, key, claim);
  if (refused) return say(`The signature is valid, but ${refused.why}.`, { ...shown, ...refused.part });
  return { valid: true, summary: 'The signature is valid.', expected, ...shown };
}

/** What is refused of a proof whose signature is valid: a scope that its key lacks, or a claim. */
function refusedPart(app: App, key: string, claim: Claim): { why: string; part: RefusedPart } | undefined {
  const { channel, data } = claim;
  const scopes = app.keyOf(key)?.scopes;
  const scope = channel === undefined ? scopes?.missing('sign_in') : scopes?.missingFor('subscribe', channel);
  if (scope !== undefined) return { why: `it is refused: ${scopeMissing(key, scope)}`, part: { scope } };
  try {
    readClaims(parseObject(data) ?? {}, data, channel === undefined ? 'sign-in' : 'channel', Date.now());
    return undefined;
  } catch (error) {
    if (!(error instanceof ClaimRefusal)) throw error;
    return { why: `it is refused: ${error.message}`, part: { claim: error.claim } };
  }
}

interface ReadAuth {
  /** The key before the colon, if there is one. */
  readonly named: string | undefined;
  /** 64 lower-case hex digits, if the proof contains a signature in some form. */
  readonly signature: string | undefined;
  /** The mistake in its form, if there is one. */
  readonly flaw: string | undefined;
}

function readAuth(app: App, auth: string): ReadAuth {
  const text = auth.trim();
  const colon = text.lastIndexOf(':');
  const named = colon < 0 ? undefined : text.slice(0, colon);
  const digest = text.slice(colon + 1);
  const padded = text !== auth ? 'there is white space around "auth"' : undefined;
  const unnamed = named ? undefined : `"auth" does not name a key: expected "${app.keys[0]}:SIGNATURE"`;
  if (/^[0-9a-f]{64}$/.test(digest)) return { named, signature: digest, flaw: unnamed ?? padded };
  if (/^[0-9a-f]{64}$/i.test(digest)) {
    return { named, signature: digest.toLowerCase(), flaw: 'the hex digits must be in lower case' };
  }
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(digest)) {
    const signature = Buffer.from(digest, 'base64').toString('hex');
    return { named, signature, flaw: 'the signature is in base64: it must be in lower-case hex' };
  }
  return { named, signature: undefined, flaw: undefined };
}

interface Found {
  readonly key: string;
  readonly text: string;
  readonly mistake: string | undefined;
}

function* search(
  app: App,
  named: string | undefined,
  signature: string,
  claim: Claim,
  recentNames: RecentNames,
): Generator<void, Found | undefined> {
  // The named key is tried first, so that a mistake with it is not attributed to another key.
  const keys = [...app.secrets].sort(([a], [b]) => Number(b === named) - Number(a === named));
  const right: Guess = { text: expectedText(claim), mistake: '' };
  for (const [key, secret] of keys) {
    if (verify(secret, right.text, signature)) return { key, text: right.text, mistake: undefined };
  }
  for (const [key, secret] of keys) {
    for (const [variant, mistake] of secretVariants(secret)) {
      if (verify(variant, right.text, signature)) return { key, text: right.text, mistake };
      yield;
    }
  }
  let tries = 0;
  for (const { text, mistake } of candidates(claim, recentNames)) {
    for (const [key, secret] of keys) {
      if (verify(secret, text, signature)) return { key, text, mistake };
      yield;
    }
    tries += keys.length;
    if (tries >= MAX_TRIES) return undefined;
  }
  return undefined;
}

/** The secret as careless configuration contains it. */
function secretVariants(secret: KeyObject): readonly (readonly [KeyObject, string])[] {
  const text = secret.export().toString('utf8');
  const variants = [
    [`${text}\n`, 'the secret in the backend ends with a line break'],
    [`${text}\r\n`, 'the secret in the backend ends with a line break'],
    [`${text} `, 'the secret in the backend ends with a space'],
    [`"${text}"`, 'the secret in the backend has quotes around it'],
    [`'${text}'`, 'the secret in the backend has quotes around it'],
  ] as const;
  return variants.map(([variant, mistake]) => [createSecretKey(variant, 'utf8'), mistake] as const);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
