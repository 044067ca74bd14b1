/** The text that replaces a secret. */
export const HIDDEN = '********';

/** Characters by which a secret is recognized. A part of a secret that is longer is hidden as well, because texts are cut when logged. */
const PREFIX = 8;
const MIN_PART = 16;
/** Known secrets at one time; beyond it, the least recently used one is forgotten. */
const MAX_KNOWN = 20_000;
const SIGNATURE = /[0-9a-fA-F]{64,}/g;
/** Characters that control a terminal or are invisible in it; JSON does not escape them. */
const CONTROL = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const known = new Set<string>();
const byPrefix = new Map<string, string[]>();

/** Registers a secret that must never be logged, also where a client sends it as a key, an id, a name or a path. */
export function hideSecret(secret: string): void {
  // In the form that it has in a line of JSON.
  const text = JSON.stringify(secret).slice(1, -1);
  if (text.length < PREFIX || known.has(text)) return;
  if (known.size >= MAX_KNOWN) forgetOldest();
  known.add(text);
  const prefix = text.slice(0, PREFIX);
  const others = byPrefix.get(prefix);
  if (others) others.push(text);
  else byPrefix.set(prefix, [text]);
}

/**
 * Returns a line of the log without secrets, signatures and characters that control a terminal.
 *
 * @param backslash the start of the escape of such a character: one backslash in JSON, two in lines for people
 */
export function maskLine(line: string, backslash = '\\'): string {
  return maskKnown(line)
    .replace(SIGNATURE, HIDDEN)
    .replace(CONTROL, (character) => `${backslash}u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function maskKnown(line: string): string {
  if (byPrefix.size === 0) return line;
  let masked = '';
  let copied = 0;
  for (let at = 0; at + PREFIX <= line.length; at += 1) {
    const length = secretAt(line, at);
    if (length === 0) continue;
    masked += line.slice(copied, at) + HIDDEN;
    copied = at + length;
    at = copied - 1;
  }
  return copied === 0 ? line : masked + line.slice(copied);
}

/** The number of characters of a secret that begin here. */
function secretAt(line: string, at: number): number {
  const candidates = byPrefix.get(line.slice(at, at + PREFIX));
  let longest = 0;
  for (const secret of candidates ?? []) {
    const common = commonLength(line, at, secret);
    if (common === secret.length || common >= MIN_PART) longest = Math.max(longest, common);
  }
  return longest;
}

function commonLength(line: string, at: number, secret: string): number {
  let length = PREFIX;
  while (length < secret.length && line[at + length] === secret[length]) length += 1;
  return length;
}

function forgetOldest(): void {
  const [oldest = ''] = known;
  known.delete(oldest);
  const prefix = oldest.slice(0, PREFIX);
  const others = (byPrefix.get(prefix) ?? []).filter((secret) => secret !== oldest);
  if (others.length > 0) byPrefix.set(prefix, others);
  else byPrefix.delete(prefix);
}
