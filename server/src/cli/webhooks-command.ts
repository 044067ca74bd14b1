import { parseArgs } from 'node:util';
import { bodyMd5, canonicalQuery, requestText, sign } from '@countersign/sdk-server/signature';
import type { AppConfig } from '../apps/app.ts';
import type { Config } from '../config/config.ts';
import { UsageError } from './usage-error.ts';

/** The broker refused what a command asked for, or did not answer. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** One request to the HTTP API, below `/apps/APP_ID/`. */
interface Ask {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
}

const OPTIONS = {
  config: { type: 'string' },
  app: { type: 'string' },
  url: { type: 'string' },
  state: { type: 'string' },
  cursor: { type: 'string' },
  limit: { type: 'string' },
} as const;

type Options = { readonly [Name in keyof typeof OPTIONS]?: string | undefined };

/**
 * Does what `countersign webhooks ARGS` asks a running broker for, signed with the app's first key.
 *
 * @param load reads the configuration, from the file that `--config` names
 * @returns the answer as JSON
 * @throws UsageError, ConfigError or CommandError
 */
export async function runWebhooksCommand(
  args: readonly string[],
  load: (file: string | undefined) => Promise<Config>,
): Promise<string> {
  const { options, words } = parse(args);
  const ask = askOf(words, options);
  const config = await load(options.config);
  const app = appOf(config, options.app);
  const answer = await send(options.url ?? urlOf(config), config.pathPrefix, app, ask);
  return `${JSON.stringify(answer, null, 2)}\n`;
}

function parse(args: readonly string[]): { readonly options: Options; readonly words: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    return { options: values, words: positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function askOf([command, hook, ...deliveries]: readonly string[], options: Options): Ask {
  const { state, cursor, limit } = options;
  if (command === 'ls' && hook === undefined) return { method: 'GET', path: 'webhooks' };
  if (command === undefined || hook === undefined) {
    throw new UsageError(
      'countersign webhooks needs ls, or show, retry, skip, pause, resume or test and a webhook',
    );
  }
  const path = `webhooks/${encodeURIComponent(hook)}`;
  switch (command) {
    case 'show': {
      const query = {
        ...(state !== undefined && { state }),
        ...(cursor !== undefined && { cursor }),
        ...(limit !== undefined && { limit }),
      };
      return { method: 'GET', path: `${path}/deliveries`, query };
    }
    case 'retry':
    case 'skip':
      if (deliveries.length > 0 === (state !== undefined)) {
        throw new UsageError(
          `countersign webhooks ${command} needs deliveries, or --state and no deliveries`,
        );
      }
      return {
        method: 'POST',
        path: `${path}/${command}`,
        body: state === undefined ? { deliveries } : { state },
      };
    case 'pause':
    case 'resume':
    case 'test':
      return { method: 'POST', path: `${path}/${command}` };
    default:
      throw new UsageError(`Unknown command "webhooks ${command}"`);
  }
}

function appOf({ apps }: Config, id: string | undefined): AppConfig {
  const app = id === undefined && apps.length === 1 ? apps[0] : apps.find((each) => each.id === id);
  if (app) return app;
  const known = apps.map((each) => each.id).join(', ') || 'none';
  throw new UsageError(`--app: expected one of the configuration's apps, which are ${known}`);
}

/** Where a broker with this configuration answers on its own machine. */
function urlOf({ host, port, tls }: Config): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${tls ? 'https' : 'http'}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

async function send(base: string, pathPrefix: string, { id, keys }: AppConfig, ask: Ask): Promise<unknown> {
  const { key, secret } = keys[0]!;
  const path = `${pathPrefix}/apps/${id}/${ask.path}`;
  const body = ask.body && JSON.stringify(ask.body);
  const parameters = {
    ...ask.query,
    auth_key: key,
    auth_timestamp: String(Math.floor(Date.now() / 1000)),
    auth_version: '1.0',
    ...(body !== undefined && { body_md5: bodyMd5(body) }),
  };
  const signature = sign(secret, requestText(ask.method, path, canonicalQuery(Object.entries(parameters))));
  const query = new URLSearchParams({ ...parameters, auth_signature: signature });
  let response: Response;
  try {
    response = await fetch(new URL(`${path}?${query}`, base), { method: ask.method, ...(body && { body }) });
  } catch (cause) {
    throw new CommandError(`No broker answers at ${base}: start it, or give its address with --url`, {
      cause,
    });
  }
  const text = await response.text();
  if (!response.ok) throw new CommandError(`The broker refused with ${response.status}: ${text}`);
  return JSON.parse(text);
}
