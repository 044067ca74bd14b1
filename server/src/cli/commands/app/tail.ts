/** `countersign tail`: the events of channels, as they come. */
import { Countersign as Client } from '@countersign/sdk-client';
import { Countersign as Server } from '@countersign/sdk-server';
import type { Command } from 'commander';
import { CommandError, UnreachableError } from '../../failure.ts';
import { note, painter, print } from '../../output.ts';
import { addressOf, findTarget, type Target, type TargetOptions, withTarget } from '../../target.ts';
import { followOccupied } from './occupied.ts';

/** Close codes below it are final: the client does not connect again. */
const FIRST_TEMPORARY = 4100;

interface Options extends TargetOptions {
  readonly user: string;
  readonly count?: string;
}

export function addTail(program: Command): void {
  withTarget(program.command('tail'))
    .description('Print the events of channels as they come.')
    .argument('[channel...]', 'all occupied ones but presence and encrypted channels, if none is given')
    .option('--user <id>', 'member that the command is in presence channels', 'countersign-tail')
    .option('--count <number>', 'end after so many events')
    .addHelpText('after', '\nExample:\n  $ countersign tail news private-orders --json')
    .action(tail);
}

async function tail(channels: readonly string[], options: Options): Promise<void> {
  const target = await findTarget(options);
  const printer = eventPrinter(options.json === true);
  let left = options.count === undefined ? Number.POSITIVE_INFINITY : Number(options.count);
  const client = connect(target, options.user);
  const ending = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => {
      const watch = (name: string) =>
        watchChannel(client, name, {
          event(event, data, userId) {
            printer(name, event, data, userId);
            left -= 1;
            if (left === 0) resolve();
          },
          refused: (why) => reject(new CommandError(`${name}: ${why}`, 'subscription_refused')),
        });
      let wasConnected = false;
      client.connection.bind('error', ({ type, data: { code, message, error_code } }) => {
        if (type === 'PusherError' && code !== null && code < FIRST_TEMPORARY) {
          reject(new CommandError(`The broker refused with ${code}: ${message}`, error_code));
        } else if (wasConnected) {
          note(`${message}; connecting again`);
        } else {
          reject(new UnreachableError(`No connection to ${target.url.origin}: ${message}`, 'unreachable'));
        }
      });
      client.connection.bind('connected', () => {
        wasConnected = true;
        note(`connected to ${target.url.host}`);
      });
      for (const name of channels) watch(name);
      if (channels.length === 0) followOccupied(target, watch, ending.signal).catch(reject);
      process.once('SIGINT', resolve);
      process.once('SIGTERM', resolve);
    });
  } finally {
    ending.abort();
    client.disconnect();
  }
}

function connect({ url, app, key, secret }: Target, user: string): Client {
  const { useTLS, ...address } = addressOf(url);
  const server = new Server({ appId: app, key, secret, useTLS, ...address });
  return new Client(key, {
    ...address,
    forceTLS: useTLS,
    channelAuthorization: {
      customHandler: async ({ socketId, channelName }) =>
        server.authorizeChannel(
          socketId,
          channelName,
          channelName.startsWith('presence-') ? { user_id: user } : undefined,
        ),
    },
  });
}

interface Watcher {
  event(name: string, data: unknown, userId: string | undefined): void;
  refused(why: string): void;
}

function watchChannel(client: Client, name: string, { event, refused }: Watcher): void {
  const channel = client.subscribe(name);
  channel.bind('pusher:subscription_succeeded', () => note(`subscribed to ${name}`));
  channel.bind(
    'pusher:subscription_error',
    ({ error, type }: { readonly error?: string; readonly type?: string }) =>
      refused(error ?? type ?? 'refused'),
  );
  channel.bind_global((eventName: string, data: unknown, metadata?: { user_id?: string }) => {
    const isNews = /^pusher:(?:member_added|member_removed|cache_miss|subscription_count)$/.test(eventName);
    if (!eventName.startsWith('pusher:') || isNews) event(eventName, data, metadata?.user_id);
  });
}

/** A line for each event: for people on a terminal, or one JSON value. */
function eventPrinter(asJson: boolean) {
  const paint = painter(process.stdout);
  return (channel: string, event: string, data: unknown, userId: string | undefined): void => {
    const at = new Date();
    if (asJson) {
      const line = {
        at: at.toISOString(),
        channel,
        event,
        data,
        ...(userId !== undefined && { user_id: userId }),
      };
      return print(JSON.stringify(line));
    }
    const time = paint('dim', at.toTimeString().slice(0, 8));
    const from = userId === undefined ? '' : paint('dim', ` from ${userId}`);
    print(`${time} ${paint('cyan', channel)} ${paint('bold', event)}${from} ${JSON.stringify(data)}`);
  };
}
