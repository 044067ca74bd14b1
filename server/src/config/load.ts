import { readFile } from 'node:fs/promises';
import { type Config, type ConfigInput, configSchema } from './config.ts';
import { ConfigError, explain, type Overridden, problemsOf } from './error.ts';
import { fileProblem } from './file-problem.ts';
import { hideSecrets } from './secrets.ts';
import { type Flags, parseJson, readEnvironment, readFlags } from './sources.ts';

/**
 * Checks a configuration and fills in the defaults.
 *
 * @param source where it is, for the message, such as the name of its file
 * @throws ConfigError that names each wrong key's path, its value (secrets hidden) and what was expected
 */
export function parseConfig(input: unknown, source?: string, overridden: Overridden = new Map()): Config {
  const result = configSchema.safeParse(input, { error: explain, reportInput: true });
  if (!result.success) throw new ConfigError(source, problemsOf(result.error.issues, overridden));
  hideSecrets(result.data);
  return result.data;
}

/** The sources of {@link loadConfig}: each overrides those before it. */
export interface ConfigSources {
  /** Settings instead of a file. */
  readonly base?: ConfigInput | undefined;
  /** A JSON file. @default the one that `COUNTERSIGN_CONFIG` names, if any. Not read if there is a `base`. */
  readonly file?: string | undefined;
  /** Variables; those that start with `COUNTERSIGN_` count. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly flags?: Flags;
}

/**
 * Reads the configuration: file, then environment, then flags.
 *
 * @throws ConfigError when a source cannot be read or the result is wrong
 */
export async function loadConfig({ base, file, env = {}, flags = {} }: ConfigSources): Promise<Config> {
  const path = base ? undefined : (file ?? env['COUNTERSIGN_CONFIG']);
  const overrides = [...readEnvironment(env, configSchema), ...readFlags(flags)];
  const settings = overrides.reduce<unknown>(
    (sofar, { path, value }) => withValue(sofar, path, value),
    base ?? (path === undefined ? {} : await readJsonFile(path)),
  );
  return parseConfig(settings, path, new Map(overrides.map(({ path, from }) => [path.join('.'), from])));
}

async function readJsonFile(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new ConfigError(file, [`the file cannot be read: ${fileProblem(error)}`], { cause: error });
  }
  return parseJson(text, file);
}

/** Returns a copy with one value replaced. A value on the path that is not an object stays, and the schema refuses it. */
function withValue(settings: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) return settings;
  const inner: unknown = Object.getOwnPropertyDescriptor(settings, name)?.value ?? {};
  return { ...settings, [name]: withValue(inner, rest, value) };
}
