import { channelText, userText } from '@countersign/sdk-server/signature';

/** A text that a backend may have signed by mistake, and the mistake in words. */
export interface Guess {
  readonly text: string;
  readonly mistake: string;
}

/** What a proof should prove: the subscription or sign-in that a client asked for. */
export interface Claim {
  readonly socketId: string;
  /** `undefined` for a sign-in. */
  readonly channel: string | undefined;
  /** `channel_data` or `user_data` as received; empty if there was none. */
  readonly data: string;
}

/** Names that a backend has seen lately. */
export interface RecentNames {
  /** The newest first. */
  readonly socketIds: readonly string[];
  readonly channels: readonly string[];
}

/** The text that should have been signed. */
export function expectedText({ socketId, channel, data }: Claim): string {
  return channel === undefined ? userText(socketId, data) : channelText(socketId, channel, data || undefined);
}

/** The texts to try, the likeliest mistakes first, without the right one. */
export function* candidates(claim: Claim, recentNames: RecentNames): Generator<Guess> {
  const right = expectedText(claim);
  const tried = new Set([right]);
  for (const candidate of allCandidates(claim, recentNames)) {
    if (tried.has(candidate.text)) continue;
    tried.add(candidate.text);
    yield candidate;
  }
}

function* allCandidates(claim: Claim, { socketIds, channels }: RecentNames): Generator<Guess> {
  const { socketId, channel, data } = claim;
  for (const [variant, mistake] of dataVariants(data)) {
    yield { text: expectedText({ ...claim, data: variant }), mistake };
  }
  for (const other of socketIds) {
    const mistake = `another socket id was signed (${other}): the answer was cached, or the page has reconnected since`;
    yield { text: expectedText({ ...claim, socketId: other }), mistake };
    if (data) {
      yield {
        text: expectedText({ ...claim, socketId: other, data: '' }),
        mistake: `${mistake}; and the data was left out`,
      };
    }
  }
  if (channel === undefined) {
    for (const other of channels) {
      yield {
        text: channelText(socketId, other, data || undefined),
        mistake: `a subscription to ${other} was signed in place of a sign-in`,
      };
    }
    return;
  }
  for (const other of [...nameVariants(channel), ...channels]) {
    const mistake = `another channel was signed (${other})`;
    yield { text: channelText(socketId, other, data || undefined), mistake };
    if (data) yield { text: channelText(socketId, other), mistake: `${mistake}; and the data was left out` };
  }
  yield {
    text: userText(socketId, data),
    mistake: 'a sign-in was signed in place of a subscription: the two endpoints are swapped',
  };
  if (data) {
    yield {
      text: `${channel}:${socketId}:${data}`,
      mistake: 'channel and socket id were signed in the wrong order',
    };
  }
  yield { text: `${channel}:${socketId}`, mistake: 'channel and socket id were signed in the wrong order' };
}

/** The channel in lower case, and with another prefix: `private-encrypted-a` is not `private-a`. */
function nameVariants(channel: string): readonly string[] {
  const name = channel.replace(/^(private-encrypted|private|presence)-/, '');
  return [channel.toLowerCase(), name, ...PREFIXES.map((prefix) => prefix + name)];
}

const PREFIXES = ['private-', 'private-encrypted-', 'presence-'] as const;

/** The data as other libraries print it, and the empty text. */
function* dataVariants(data: string): Generator<readonly [variant: string, mistake: string]> {
  if (!data) {
    yield ['{}', 'an empty object was signed as channel data, but not sent'];
    yield ['null', 'null was signed as channel data, but not sent'];
    return;
  }
  yield ['', 'the data was not signed: it must be signed byte for byte as it is sent'];
  // The sender chooses the depth, and printing recurses as deep.
  const value = depthOf(data) > MAX_DEPTH ? undefined : parse(data);
  if (value === undefined) return;
  const compact = JSON.stringify(value);
  for (const printed of [
    compact,
    JSON.stringify(sorted(value)),
    spaced(compact),
    escaped(compact),
    escaped(spaced(compact)),
    compact.replaceAll('/', '\\/'),
    escaped(compact).replaceAll('/', '\\/'),
    JSON.stringify(value, null, 2),
    JSON.stringify(value, null, 4),
    JSON.stringify(compact),
    JSON.stringify(data),
    ...idVariants(value),
  ]) {
    yield [printed, 'the data was serialized again between signing and sending: sign and send the same text'];
  }
}

/** Levels of nesting up to which data is printed again. */
const MAX_DEPTH = 16;

/** The most brackets that are open at a time, including those in strings. */
function depthOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of json) {
    if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** As Python prints JSON: with a space after each comma and colon outside of strings. */
function spaced(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|[,:]/g, (part) =>
    part === ',' || part === ':' ? `${part} ` : part,
  );
}

/** As PHP and Python print JSON: in ASCII. */
function escaped(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  );
}

/** The data with the user id as a number in place of a text, or the reverse. */
function idVariants(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || !('user_id' in value)) return [];
  const { user_id: id } = value;
  if (typeof id === 'number') return [JSON.stringify({ ...value, user_id: String(id) })];
  if (typeof id === 'string' && /^\d{1,15}$/.test(id))
    return [JSON.stringify({ ...value, user_id: Number(id) })];
  return [];
}
