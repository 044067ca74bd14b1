import type { z } from 'zod';

type Path = readonly PropertyKey[];

/** The variable or flag that a setting came from, by its path ("log.level"), if it is not from the file. */
export type Overridden = ReadonlyMap<string, string>;

/** The configuration cannot be used. The message has one line for each problem, and no secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  /** @param source where the configuration is, such as the name of its file */
  constructor(source: string | undefined, problems: readonly string[], options?: ErrorOptions) {
    const title = source === undefined ? 'Wrong configuration:' : `Wrong configuration in ${source}:`;
    super([title, ...problems.map((problem) => `  ${problem}`)].join('\n'), options);
  }
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['int', 'a whole number'],
  ['number', 'a whole number'],
  ['string', 'a text'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'an object'],
]);
const UNITS: ReadonlyMap<string, string> = new Map([
  ['string', ' characters'],
  ['array', ' items'],
]);

/** The message of zod for a value of the wrong type or size: what was expected. */
export function explain(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPES.get(issue.expected) ?? issue.expected}`;
    case 'invalid_value':
      return `expected one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    case 'too_small':
      return `expected at least ${issue.minimum}${UNITS.get(issue.origin) ?? ''}`;
    case 'too_big':
      return `expected at most ${issue.maximum}${UNITS.get(issue.origin) ?? ''}`;
    case 'invalid_union': {
      const expected = issue.errors.flat().map(({ message }) => message.replace(/^expected /, ''));
      return `expected ${expected.join(' or ')}`;
    }
    default:
      return undefined;
  }
}

/** One line for each problem: the path of the key, its value (hidden if it may be a secret) and what was expected. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], overridden: Overridden): string[] {
  const line = (path: Path, value: unknown, expected: string, isKnown = true) => {
    const from = overridden.get(path.join('.'));
    return `${printPath(path)}: ${printValue(path, value, isKnown)}${from ? ` from ${from}` : ''}, ${expected}`;
  };
  return issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) =>
          line([...issue.path, key], ownValue(issue.input, key), 'but there is no such key', false),
        )
      : [line(issue.path, issue.input, issue.message)],
  );
}

function ownValue(value: unknown, key: string): unknown {
  return Object.entries(value ?? {}).find(([name]) => name === key)?.[1];
}

/** A path as people write it, such as `apps[0].keys[1].key`. */
export function printPath(path: Path): string {
  if (path.length === 0) return 'top level';
  const text = path.map((part) =>
    /^\d+$/.test(String(part)) ? `[${String(part)}]` : `.${printName(String(part))}`,
  );
  return text.join('').replace(/^\./, '');
}

/** An unknown name may be a secret on the wrong side of the colon. */
function printName(name: string): string {
  return name.length > MAX_NAME ? `${name.slice(0, 4)}…` : name;
}

function printValue(path: Path, value: unknown, isKnown: boolean): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'got a list';
  if (typeof value === 'object' && value !== null) return 'got an object';
  if (!mayBeShown(path, value, isKnown)) return 'got a value that is not shown';
  const text = JSON.stringify(value);
  return `got ${text.length > 100 ? `${text.slice(0, 100)}…` : text}`;
}

/** Whether a value is certainly no secret. */
export function mayBeShown(path: Path, value: unknown, isKnown: boolean): boolean {
  return !mayBeSecret(path) && !(typeof value === 'string' && looksSecret(path, value, isKnown));
}

/**
 * Whether a value is or may be a secret: by its name, or by its place, so that a secret under a misspelled name or in
 * place of a whole section is not shown either.
 */
function mayBeSecret(path: Path): boolean {
  const [top, , section] = path;
  const last = String(path.at(-1));
  if (/secret|token|passw|credential/i.test(last)) return true;
  if (top === 'metrics') return last !== 'port';
  if (top === 'admin') return !SHOWN_OF_ADMIN.has(last);
  // A URL may hold a password.
  if (top === 'redis') return last !== 'prefix' && last !== 'name';
  return top === 'apps' && (path.length < 3 || (section === 'keys' && last !== 'key'));
}

/** Settings of administration that are no secrets. */
const SHOWN_OF_ADMIN: ReadonlySet<string> = new Set(['name', 'role', 'expiresAt']);

/** Characters of the longest name of a setting, and some more for a misspelled one. */
const MAX_NAME = 40;
/** The length from which a text may be a secret: of any text, and of one with digits. */
const MAX_UNKNOWN = 12;
const MAX_MIXED = 16;
/** An address and a port, as Kubernetes puts them into the environment. */
const ADDRESS = /^[a-z]+:\/\/(\[[\da-f:.]+\]|[\d.]+)(:\d+)?\/?$/i;

/** Whether a text looks like a secret: people put secrets in place of a key, an id or a URL. */
function looksSecret(path: Path, value: string, isKnown: boolean): boolean {
  if (path.includes('allowedOrigins')) return false;
  if (path.at(-1) === 'url') return true;
  if (!isKnown || path[0] === 'apps') return value.length >= MAX_UNKNOWN;
  if (ADDRESS.test(value)) return false;
  return value.length >= MAX_MIXED && /\d/.test(value) && /[A-Za-z]/.test(value);
}
