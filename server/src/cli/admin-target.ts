/** Which admin API a command asks, with which token. */
import type { Command } from 'commander';
import { z } from 'zod';
import { loadConfig } from '../config/load.ts';
import { expected } from './expected.ts';
import { CommandError, unreachable } from './failure.ts';
import { fallback, fromProfile, LOCAL_URL, parseUrl, urlOf } from './target.ts';
import { UsageError } from './usage-error.ts';

export interface AdminOptions {
  readonly url?: string;
  readonly token?: string;
  readonly profile?: string;
  readonly config?: string;
  readonly json?: boolean;
}

/** An admin API, and who asks it. */
export interface AdminTarget {
  /** With the path prefix of the broker, without a slash at the end. */
  readonly url: URL;
  readonly token: string;
  /** The app of the profile or of the environment, if there is one. */
  readonly app: string | undefined;
}

export interface AdminRequest<Answer> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/admin/v1`. */
  readonly path: string;
  /** What the command needs of the answer; `undefined` stands for one without a body. */
  readonly answer: z.ZodType<Answer>;
  readonly query?: Readonly<Record<string, string | undefined>> | undefined;
  readonly body?: object | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;
interface Parts {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  readonly app?: string | undefined;
}

const pageSchema = z.looseObject({ cursor: z.string().optional() });
const problemSchema = z.looseObject({ detail: z.string(), code: z.string() });

/** Adds the options that {@link findAdmin} reads. */
export function withAdmin(command: Command): Command {
  return command
    .option('--url <url>', 'address of the broker, with its path prefix (COUNTERSIGN_URL)')
    .option('--token <token>', 'admin token (COUNTERSIGN_TOKEN)')
    .option('--profile <name>', 'what login has stored under this name (COUNTERSIGN_PROFILE)')
    .option('--config <file>', 'take the address from the configuration of a broker')
    .option('--json', 'print the answer as JSON');
}

/**
 * Finds the admin API: each part comes from the flags; else from the file or profile that a flag names; else from the
 * environment, the profile, or the configuration in the current folder.
 *
 * @throws UsageError without a token, ConfigError
 */
export async function findAdmin(options: AdminOptions, env: Environment = process.env): Promise<AdminTarget> {
  const parts = await partsOf(options, env);
  const token = options.token ?? parts.token;
  if (!token) {
    throw new UsageError(
      'No admin token: give --token, COUNTERSIGN_TOKEN, or a profile (countersign login --token)',
    );
  }
  return { url: parseUrl(options.url ?? parts.url ?? LOCAL_URL), token, app: parts.app };
}

/**
 * Asks the admin API.
 *
 * @throws CommandError if it refuses, or a broker of another version answers something else; UnreachableError
 */
export async function askAdmin<Answer>(
  { url, token }: AdminTarget,
  { method, path, answer: schema, query, body }: AdminRequest<Answer>,
): Promise<Answer> {
  const response = await request({ url, token }, { method, path, query, body });
  const text = await textOf(response, url);
  const value = text === '' ? undefined : jsonOf(text);
  if (response.ok) return expected(schema, value, `${method} ${path}`);
  throw refusalOf(response.status, value);
}

/**
 * Asks the admin API for what may be long, as it comes.
 *
 * @throws CommandError if it refuses, or the answer is cut off; UnreachableError
 */
export async function* askAdminForText(
  target: AdminTarget,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
): AsyncGenerator<string> {
  const response = await request(target, { method: 'GET', path, query });
  if (!response.ok) throw refusalOf(response.status, jsonOf(await textOf(response, target.url)));
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body ?? []) yield decoder.decode(chunk, { stream: true });
  } catch (error) {
    throw new CommandError('The broker has cut its answer off: what was printed is not all', 'cut_off', {
      cause: error,
    });
  }
}

/** All pages of a list, whose items are under a name. @throws as {@link askAdmin} */
export async function listAll<Item>(
  target: AdminTarget,
  path: string,
  name: string,
  item: z.ZodType<Item>,
  query: Readonly<Record<string, string | undefined>> = {},
): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await askAdmin(target, {
      method: 'GET',
      path,
      answer: pageSchema,
      query: { ...query, limit: '1000', cursor },
    });
    items.push(...expected(z.array(item), page[name], `GET ${path}`));
    cursor = page.cursor;
    if (cursor === undefined) return items;
  }
}

async function request(
  { url, token }: Pick<AdminTarget, 'url' | 'token'>,
  { method, path, query = {}, body }: Omit<AdminRequest<unknown>, 'answer'>,
): Promise<Response> {
  const target = new URL(url);
  target.pathname = `${url.pathname.replace(/\/+$/, '')}/admin/v1${path}`;
  for (const [name, value] of Object.entries(query)) if (value) target.searchParams.set(name, value);
  try {
    return await fetch(target, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
        ...(body && { 'Content-Type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw unreachable(url, error);
  }
}

async function textOf(response: Response, url: URL): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    throw unreachable(url, error);
  }
}

function refusalOf(status: number, value: unknown): CommandError {
  const problem = problemSchema.safeParse(value);
  if (!problem.success) return new CommandError(`The broker refused with ${status}`, 'refused', { status });
  const { detail, code } = problem.data;
  return new CommandError(`The broker refused with ${status}: ${detail}`, code, {
    status,
    problem: problem.data,
  });
}

async function partsOf(options: AdminOptions, env: Environment): Promise<Parts> {
  if (options.config !== undefined) return fromConfig(options.config, env);
  if (options.profile !== undefined) return fromProfile(options.profile, env);
  const given = {
    ...(env['COUNTERSIGN_URL'] && { url: env['COUNTERSIGN_URL'] }),
    ...(env['COUNTERSIGN_TOKEN'] && { token: env['COUNTERSIGN_TOKEN'] }),
    ...(env['COUNTERSIGN_APP'] && { app: env['COUNTERSIGN_APP'] }),
  };
  if (given.url && given.token) return given;
  return { ...(await fallback<Parts>(env, (file) => fromConfig(file, env))), ...given };
}

/** The token is that of COUNTERSIGN_ADMIN_TOKEN, since a file has hashes only. */
async function fromConfig(file: string, env: Environment): Promise<Parts> {
  const config = await loadConfig({ file, env });
  return { url: urlOf(config), token: env['COUNTERSIGN_TOKEN'] ?? config.admin.token };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
