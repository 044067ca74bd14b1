import { z } from 'zod';
import { ConfigError } from './error.ts';
import { isServiceLink } from './service-links.ts';

/** Variables of the commands that ask a running broker; the broker itself has no use for them. */
const OF_CLIENT_COMMANDS = new Set(
  ['URL', 'TOKEN', 'APP', 'KEY', 'SECRET', 'PROFILE'].map((name) => `COUNTERSIGN_${name}`),
);

/** A setting from outside the file, and the name of its source for messages. */
export interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
  readonly from: string;
}

/** Flags of the command line, as text. */
export interface Flags {
  readonly host?: string | undefined;
  readonly port?: string | undefined;
}

/** How the text of an environment variable is parsed. */
type Form = 'text' | 'scalar' | 'scalar or list' | 'json';

interface Variable {
  readonly path: readonly string[];
  readonly form: Form;
}

/** The setting that each environment variable overrides: `COUNTERSIGN_LOG__LEVEL` is `log.level`. */
export function environmentVariables(schema: z.ZodType): ReadonlyMap<string, Variable> {
  const variables = variablesIn(z.toJSONSchema(schema, { io: 'input' }), []);
  return new Map(variables.map((variable) => [nameOf(variable), variable]));
}

/** Variables with a name of their own, by their setting. */
const NAMES: ReadonlyMap<string, string> = new Map([['admin.token', 'COUNTERSIGN_ADMIN_TOKEN']]);

function nameOf({ path }: Variable): string {
  return NAMES.get(path.join('.')) ?? `COUNTERSIGN_${path.map(snakeCase).join('__')}`;
}

function variablesIn(section: z.core.JSONSchema.BaseSchema, path: readonly string[]): Variable[] {
  return Object.entries(section.properties ?? {}).flatMap(([name, setting]) => {
    if (typeof setting === 'boolean') return [];
    const here = [...path, name];
    return setting.properties ? variablesIn(setting, here) : [{ path: here, form: formOf(setting) }];
  });
}

function formOf(setting: z.core.JSONSchema.BaseSchema): Form {
  if (setting.type === 'string') return 'text';
  if (setting.type === 'array' || setting.type === 'object') return 'json';
  const takesList = setting.anyOf?.some((choice) => typeof choice === 'object' && choice.type === 'array');
  return takesList ? 'scalar or list' : 'scalar';
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/**
 * The settings that the environment overrides.
 *
 * @throws ConfigError for a variable that starts with `COUNTERSIGN_` and is not a setting
 */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  schema: z.ZodType,
): Override[] {
  const variables = environmentVariables(schema);
  const overrides: Override[] = [];
  const unknown: string[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('COUNTERSIGN_') || name === 'COUNTERSIGN_CONFIG' || text === undefined) continue;
    if (isServiceLink(name, text) || OF_CLIENT_COMMANDS.has(name)) continue;
    const variable = variables.get(name);
    if (variable)
      overrides.push({ path: variable.path, value: readText(text, variable.form, name), from: name });
    else unknown.push(`${name}: no such setting`);
  }
  if (unknown.length > 0) {
    const known = ['COUNTERSIGN_CONFIG', ...variables.keys()].join(', ');
    throw new ConfigError('the environment', [...unknown, `expected one of ${known}`]);
  }
  return overrides;
}

/** The settings that flags override. */
export function readFlags({ host, port }: Flags): Override[] {
  const overrides: Override[] = [];
  if (host !== undefined) overrides.push({ path: ['host'], value: host, from: '--host' });
  if (port !== undefined) overrides.push({ path: ['port'], value: readScalar(port), from: '--port' });
  return overrides;
}

function readText(text: string, form: Form, source: string): unknown {
  if (form === 'text') return text;
  if (form === 'json') return parseJson(text, source);
  const value = readScalar(text);
  return form === 'scalar or list' && typeof value === 'string'
    ? value.split(',').map((item) => item.trim())
    : value;
}

/** Parses a number, true, false or null; any other text stays, and the schema refuses it by name. */
function readScalar(text: string): unknown {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  return /^(true|false|null)$/.test(text) ? JSON.parse(text) : text;
}

/**
 * Parses JSON and never quotes it, because it holds secrets.
 *
 * @throws ConfigError with line and column of the mistake, if V8 tells its position
 */
export function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    if (position === undefined) throw new ConfigError(source, ['not JSON']);
    const before = text.slice(0, Number(position)).split('\n');
    const column = (before.at(-1)?.length ?? 0) + 1;
    throw new ConfigError(source, [`not JSON: mistake at line ${before.length}, column ${column}`]);
  }
}
