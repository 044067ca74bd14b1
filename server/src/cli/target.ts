/** Whom a command asks: the address of a broker, an app, and a key that signs. */
import { Countersign } from '@countersign/sdk-server';
import type { Command } from 'commander';
import type { AppConfig } from '../apps/app.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { findConfigFile } from './config-file.ts';
import { explained } from './failure.ts';
import { DEFAULT_PROFILE, type Profile, readProfiles } from './profiles.ts';
import { UsageError } from './usage-error.ts';

export interface TargetOptions {
  readonly url?: string;
  readonly app?: string;
  readonly key?: string;
  readonly secret?: string;
  readonly profile?: string;
  readonly config?: string;
  readonly json?: boolean;
}

/** A broker and an app of it. */
export interface Target {
  /** With the path prefix of the broker, without a slash at the end. */
  readonly url: URL;
  readonly app: string;
  readonly key: string;
  readonly secret: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

export const LOCAL_URL = 'http://127.0.0.1:6001';

/** Adds the options that {@link findTarget} reads. */
export function withTarget(command: Command): Command {
  return command
    .option('--url <url>', 'address of the broker, with its path prefix (COUNTERSIGN_URL)')
    .option('--app <id>', 'id of the app (COUNTERSIGN_APP)')
    .option('--key <key>', 'key of the app (COUNTERSIGN_KEY)')
    .option('--secret <secret>', 'secret of the key (COUNTERSIGN_SECRET)')
    .option('--profile <name>', 'what login has stored under this name (COUNTERSIGN_PROFILE)')
    .option('--config <file>', 'take all of these from the configuration of a broker')
    .option('--json', 'print the answer as JSON');
}

/**
 * Finds the target: each of its parts comes from the flags; else from the file or profile that a flag names; else from the
 * environment, the profile, or the configuration in the current folder.
 *
 * @throws UsageError if a part is missing, ConfigError
 */
export async function findTarget(options: TargetOptions, env: Environment = process.env): Promise<Target> {
  const parts = await partsOf(options, env);
  const { url = LOCAL_URL, app, key, secret } = parts;
  for (const [name, value] of Object.entries({ app, key, secret })) {
    if (value) continue;
    throw new UsageError(
      `No ${name}: give --${name}, COUNTERSIGN_${name.toUpperCase()}, a profile (countersign login), or --config FILE`,
    );
  }
  return { url: parseUrl(url), app: app!, key: key!, secret: secret! };
}

/** The same for a command that needs the address only; the rest is used if it is there. */
export async function findParts(
  options: TargetOptions,
  env: Environment = process.env,
): Promise<Pick<Target, 'url'> & Partial<Target>> {
  const { url = LOCAL_URL, ...rest } = await partsOf(options, env);
  return { ...rest, url: parseUrl(url) };
}

async function partsOf(options: TargetOptions, env: Environment): Promise<Partial<Profile>> {
  const flags = defined({ url: options.url, app: options.app, key: options.key, secret: options.secret });
  if (options.config !== undefined) return { ...(await fromFile(options.config, options, env)), ...flags };
  if (options.profile !== undefined) return { ...(await fromProfile(options.profile, env)), ...flags };
  const ofEnvironment = defined({
    url: env['COUNTERSIGN_URL'],
    app: env['COUNTERSIGN_APP'],
    key: env['COUNTERSIGN_KEY'],
    secret: env['COUNTERSIGN_SECRET'],
  });
  const given = { ...ofEnvironment, ...flags };
  if (given.app && given.key && given.secret) return given;
  return { ...(await fallback(env, (file) => fromFile(file, options, env))), ...given };
}

/** What stands in for flags: the profile of the environment, the default one, or a configuration. */
export async function fallback<Parts>(
  env: Environment,
  fromConfig: (file: string) => Promise<Parts>,
): Promise<Parts | Partial<Profile>> {
  const named = env['COUNTERSIGN_PROFILE'];
  if (named) return fromProfile(named, env);
  const stored = (await readProfiles(env)).get(DEFAULT_PROFILE);
  if (stored) return stored;
  const file = findConfigFile(undefined, env);
  return file === undefined ? {} : fromConfig(file);
}

/** @throws UsageError if there is none with this name */
export async function fromProfile(name: string, env: Environment): Promise<Profile> {
  const profiles = await readProfiles(env);
  const profile = profiles.get(name);
  if (profile) return profile;
  throw new UsageError(
    `--profile: got "${name}", expected one of ${[...profiles.keys()].join(', ') || 'none'}`,
  );
}

async function fromFile(
  file: string,
  { app: id, key }: TargetOptions,
  env: Environment,
): Promise<Partial<Profile>> {
  const config = await loadConfig({ file, env });
  const app = appOf(config, id);
  const pair = key === undefined ? signerOf(app) : app.keys.find((each) => each.key === key);
  return { url: urlOf(config), app: app.id, ...defined({ key: pair?.key, secret: pair?.secret }) };
}

/** The first key that signs, if possible one that may do everything. */
function signerOf({ keys }: AppConfig): AppConfig['keys'][number] | undefined {
  const signers = keys.filter(({ secret, state }) => secret !== undefined && state !== 'revoked');
  return signers.find(({ scopes }) => !scopes) ?? signers[0];
}

function appOf({ apps }: Config, id: string | undefined): AppConfig {
  const app = id === undefined && apps.length === 1 ? apps[0] : apps.find((each) => each.id === id);
  if (app) return app;
  const known = apps.map((each) => each.id).join(', ') || 'none';
  throw new UsageError(`--app: expected one of the configuration's apps, which are ${known}`);
}

/** Where a broker with this configuration answers on its own machine. */
export function urlOf({ host, port, tls, pathPrefix }: Config): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${tls ? 'https' : 'http'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}${pathPrefix}`;
}

/** @throws UsageError */
export function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`--url: got "${text}", expected a URL such as http://127.0.0.1:6001`);
  }
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/** What both SDKs call the address. */
export function addressOf({ protocol, hostname, port, pathname }: URL) {
  const useTLS = protocol === 'https:';
  return {
    useTLS,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (useTLS ? 443 : 80) : Number(port),
    path: pathname.replace(/\/+$/, ''),
  };
}

/** Asks the broker, signed with the key. @throws CommandError, UnreachableError if it does not do it */
export async function ask<Answer>(
  target: Target,
  question: (sdk: Countersign) => Promise<Answer>,
): Promise<Answer> {
  const { url, app: appId, key, secret } = target;
  try {
    return await question(
      new Countersign({ appId, key, secret, ...addressOf(url), maxRetries: 0, nonces: true }),
    );
  } catch (error) {
    throw explained(error, url);
  }
}

function defined(parts: { readonly [Name in keyof Profile]?: string | undefined }): Partial<Profile> {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined && value !== ''));
}
