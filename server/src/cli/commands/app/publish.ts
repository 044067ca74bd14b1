/** `countersign publish`: an event for a channel. */
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { print, printJson } from '../../output.ts';
import { ask, findTarget, type TargetOptions, withTarget } from '../../target.ts';

interface Options extends TargetOptions {
  readonly socketId?: string;
  readonly info?: string;
}

export function addPublish(program: Command): void {
  withTarget(program.command('publish'))
    .description('Publish an event.')
    .argument('<channel>')
    .argument('<event>')
    .argument('[data]', 'JSON, or any text, sent as it is; - reads it from standard input', '{}')
    .option('--socket-id <id>', 'the connection that does not receive it')
    .option('--info <attributes>', 'attributes of the channel to answer: user_count, subscription_count')
    .addHelpText('after', `\nExample:\n  $ countersign publish news headline '{"title":"Hello"}'`)
    .action(publish);
}

async function publish(channel: string, event: string, data: string, options: Options): Promise<void> {
  const target = await findTarget(options);
  const body = bodyOf(data === '-' ? await readAll(process.stdin) : data);
  const { socketId, info } = options;
  const answer = await ask(target, (sdk) => sdk.trigger(channel, event, body, { socketId, info }));
  if (options.json) return printJson(answer);
  print(`published ${event} to ${channel}`);
  const { channels = {} } = answer as {
    readonly channels?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  };
  for (const [name, value] of Object.entries(channels[channel] ?? {})) print(`${name}: ${value}`);
}

/** The SDK sends text as it is, unless that is a lone value in JSON, such as a number: it would arrive as the text of it. */
function bodyOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? text : value;
  } catch {
    return text;
  }
}
