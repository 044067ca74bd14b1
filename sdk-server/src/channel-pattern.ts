import { assertOption } from './assert.ts';
import { quoted } from './checks.ts';
import { isEncrypted } from './encryption.ts';

/** The names in the braces of a text: `team` and `doc` of `private-doc-{team}.{doc}`. */
type ParamNames<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never;

/** The values of a pattern's placeholders in a channel name. */
export type Params<Text extends string> = Readonly<Record<ParamNames<Text>, string>>;

/** One character of a name, or one or more characters of a set. */
interface Step {
  readonly characters: string;
  readonly repeats: boolean;
}

const PLACEHOLDER = /\{([A-Za-z]\w*)\}/;
const PUNCTUATION = '_-=@,.;';
const CHARACTERS = `ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789${PUNCTUATION}`;

/** Splits a text at its placeholders: literals and names alternate, with a literal first and last. */
export function splitPattern(text: string): { readonly literals: string[]; readonly names: string[] } {
  const pieces = text.split(PLACEHOLDER);
  return {
    literals: pieces.filter((_, index) => index % 2 === 0),
    names: pieces.filter((_, index) => index % 2 === 1),
  };
}

/**
 * A pattern of channel names, such as `private-user-{userId}`.
 *
 * A placeholder matches one or more characters of a channel name. If there are several, their values do not contain the
 * punctuation between them, so that a name matches in one way only.
 */
export class ChannelPattern {
  readonly text: string;
  readonly #steps: readonly Step[];
  readonly #expression: RegExp;

  /** @throws ArgumentError `invalid_options` if the text is not a pattern, or is ambiguous */
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

  /** Returns the placeholders' values in a channel name; `undefined` if it does not match. Only patterns of encrypted channels match those. */
  match(channel: string): Readonly<Record<string, string>> | undefined {
    if (isEncrypted(channel) !== isEncrypted(this.text)) return undefined;
    const match = this.#expression.exec(channel);
    return match ? { ...match.groups } : undefined;
  }

  /** Whether some name matches both patterns. */
  overlaps(other: ChannelPattern): boolean {
    return isEncrypted(this.text) === isEncrypted(other.text) && shareText(this.#steps, other.#steps);
  }
}

/** Whether a text matches both; tries every pair of positions that a common text can reach. */
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
  assertOption(holds, `${quoted(text)} is not a channel pattern: a pattern ${rule}`);
}
