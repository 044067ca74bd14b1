import { parseArgs } from 'node:util';
import { ArgumentError, Countersign, RequestError } from '@countersign/sdk-server';
import type { AppConfig } from '../apps/app.ts';
import type { Config } from '../config/config.ts';
import { UsageError } from './usage-error.ts';

/** The broker refused what a command asked for, or did not answer. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

type Webhooks = Countersign['webhooks'];
type WhichDeliveries = Parameters<Webhooks['retry']>[1];
type DeliveryState = NonNullable<WhichDeliveries['state']>;

const STATES = ['pending', 'failing', 'dead'] as const satisfies readonly DeliveryState[];
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
 * Runs `countersign webhooks ARGS` against a running broker, signed with the app's first key.
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
  const run = commandOf(words, options);
  const config = await load(options.config);
  const url = new URL(options.url ?? urlOf(config));
  const { webhooks } = clientOf(url, config, appOf(config, options.app));
  try {
    return `${JSON.stringify(await run(webhooks), null, 2)}\n`;
  } catch (error) {
    throw explained(error, url);
  }
}

function parse(args: readonly string[]): { readonly options: Options; readonly words: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    if (values.url !== undefined && !URL.canParse(values.url)) {
      throw new UsageError(`--url: got "${values.url}", expected a URL such as http://127.0.0.1:6001`);
    }
    return { options: values, words: positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function commandOf(
  [command, hook, ...deliveries]: readonly string[],
  options: Options,
): (webhooks: Webhooks) => Promise<object> {
  if (command === 'ls' && hook === undefined) {
    return async (webhooks) => ({ webhooks: await webhooks.list() });
  }
  if (command === undefined || hook === undefined) {
    throw new UsageError(
      'countersign webhooks needs ls, or show, retry, skip, pause, resume or test and a webhook',
    );
  }
  const state = stateOf(options.state);
  switch (command) {
    case 'show': {
      const query = { state, cursor: options.cursor, limit: limitOf(options.limit) };
      return (webhooks) => webhooks.deliveries(hook, query);
    }
    case 'retry': {
      const which = whichOf(command, deliveries, state);
      return async (webhooks) => ({ retried: await webhooks.retry(hook, which) });
    }
    case 'skip': {
      const which = whichOf(command, deliveries, state);
      return async (webhooks) => ({ skipped: await webhooks.skip(hook, which) });
    }
    case 'pause':
      return async (webhooks) => {
        await webhooks.pause(hook);
        return { state: 'paused' };
      };
    case 'resume':
      return async (webhooks) => {
        await webhooks.resume(hook);
        return { state: 'active' };
      };
    case 'test':
      return async (webhooks) => ({ event: await webhooks.test(hook) });
    default:
      throw new UsageError(`Unknown command "webhooks ${command}"`);
  }
}

function stateOf(text: string | undefined): DeliveryState | undefined {
  const state = STATES.find((each) => each === text);
  if (text !== undefined && !state) {
    throw new UsageError(`--state: got "${text}", expected one of ${STATES.join(', ')}`);
  }
  return state;
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined || /^[1-9]\d{0,3}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new UsageError(`--limit: got "${text}", expected 1 to 1000`);
}

function whichOf(
  command: string,
  deliveries: readonly string[],
  state: DeliveryState | undefined,
): WhichDeliveries {
  if (deliveries.length > 0 && state === undefined) return { deliveries };
  if (deliveries.length === 0 && state) return { state };
  throw new UsageError(`countersign webhooks ${command} needs deliveries, or --state and no deliveries`);
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

function clientOf(
  { protocol, hostname, port }: URL,
  { pathPrefix }: Config,
  { id, keys }: AppConfig,
): Countersign {
  const useTLS = protocol === 'https:';
  return new Countersign({
    appId: id,
    ...keys[0]!,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (useTLS ? 443 : 80) : Number(port),
    useTLS,
    path: pathPrefix,
    maxRetries: 0,
  });
}

function explained(error: unknown, { origin }: URL): unknown {
  if (error instanceof ArgumentError) return new UsageError(error.message);
  if (!(error instanceof RequestError)) return error;
  const message =
    error.status === undefined
      ? `No broker answers at ${origin}: start it, or give its address with --url`
      : `The broker refused with ${error.status}: ${error.body}`;
  return new CommandError(message, { cause: error });
}
