import { assertOption } from './assert.ts';
import { quoted } from './checks.ts';
import { isEncrypted } from './encryption.ts';

/** The names between braces of a text: of `private-doc-{team}.{doc}` they are `team` and `doc`. */
type ParamNames<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never;

/** What the braces of a pattern stand for in the name of a channel. */
export type Params<Text extends string> = Readonly<Record<ParamNames<Text>, string>>;

/** One character of a name, or a run of them. */
interface Step {
  readonly characters: string;
  readonly repeats: boolean;
}

const PLACEHOLDER = /\{([A-Za-z]\w*)\}/;
const PUNCTUATION = '_-=@,.;';
const CHARACTERS = `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789${PUNCTUATION}`;

/** A text that was taken apart at its braces: literals and names by turns, a literal first and last. */
export function splitPattern(text: string): { readonly literals: string[]; readonly names: string[] } {
  const pieces = text.split(PLACEHOLDER);
  return {
    literals: pieces.filter((_, index) => index % 2 === 0),
    names: pieces.filter((_, index) => index % 2 === 1),
  };
}

/**
 * Names of channels with something in common, such as `private-user-{userId}`.
 *
 * Braces stand for one or more characters of a channel name. Where there are several, no value holds the punctuation
 * that stands between them, so that no name can be read in two ways and no two values make the same name.
 */
export class ChannelPattern {
  readonly text: string;
  readonly #steps: readonly Step[];
  readonly #expression: RegExp;

  /** @throws ArgumentError `invalid_options` for what is not a pattern, or could be read in two ways */
  constructor(text: string) {
    const { literals, names } = splitPattern(text);
    const separators = literals.slice(1, -1);
    check(text, /^(private|presence)-/.test(text), 'begins with "private-" or "presence-"');
    check(text, literals.every(isLiteral), 'consists of channel characters and {names}');
    check(text, new Set(names).size === names.length, 'has each name once');
    check(text, separators.every(hasPunctuation), `has one of ${PUNCTUATION} between two names`);
    const excluded = separators.join('');
    const value = [...CHARACTERS].filter((c) => !PUNCTUATION.includes(c) || !excluded.includes(c)).join('');
    this.text = text;
    this.#steps = literals.flatMap((literal, index) => [
      ...Array.from(literal, (characters) => ({ characters, repeats: false })),
      ...(index < names.length ? [{ characters: value, repeats: true }] : []),
    ]);
    const expressions = literals.map((literal, index) => {
      const name = names[index];
      return name === undefined ? escaped(literal) : `${escaped(literal)}(?<${name}>[${escaped(value)}]+)`;
    });
    this.#expression = new RegExp(`^${expressions.join('')}$`);
  }

  /** The values in the name of a channel; `undefined` if the pattern does not mean it. Encrypted channels need to be meant by name. */
  match(channel: string): Readonly<Record<string, string>> | undefined {
    if (isEncrypted(channel) !== isEncrypted(this.text)) return undefined;
    const match = this.#expression.exec(channel);
    return match ? { ...match.groups } : undefined;
  }

  /** Whether some name matches both. */
  overlaps(other: ChannelPattern): boolean {
    return isEncrypted(this.text) === isEncrypted(other.text) && shareText(this.#steps, other.#steps);
  }
}

/** Walks both at once, one character at a time, through every pair of places that a common text can lead to. */
function shareText(a: readonly Step[], b: readonly Step[]): boolean {
  const reached = new Set<string>();
  const places: [number, number][] = [[0, 0]];
  for (const [i, j] of places) {
    const left = a[i];
    const right = b[j];
    if (!left && !right) return true;
    if (!left || !right || reached.has(`${i},${j}`) || !shareCharacter(left, right)) continue;
    reached.add(`${i},${j}`);
    places.push([i + 1, j + 1]);
    if (left.repeats) places.push([i, j + 1]);
    if (right.repeats) places.push([i + 1, j]);
  }
  return false;
}

function shareCharacter(a: Step, b: Step): boolean {
  return [...a.characters].some((character) => b.characters.includes(character));
}

function isLiteral(text: string): boolean {
  return [...text].every((character) => CHARACTERS.includes(character));
}

function hasPunctuation(text: string): boolean {
  return [...text].some((character) => PUNCTUATION.includes(character));
}

function escaped(characters: string): string {
  return characters.replace(/\W/g, '\\$&');
}

function check(text: string, holds: boolean, rule: string): void {
  assertOption(holds, `${quoted(text)} is no pattern of channels: it ${rule}`);
}
