/** `countersign apps`: the apps of a running broker, over its admin API. */
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { type AdminOptions, askAdmin, findAdmin, listAll, withAdmin } from '../../admin-target.ts';
import { readSettings } from '../../arguments.ts';
import { CommandError } from '../../failure.ts';
import { note, print, printJson, table } from '../../output.ts';
import { UsageError } from '../../usage-error.ts';

interface Options extends AdminOptions {
  readonly id?: string;
  readonly name?: string;
  readonly query?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

const appSchema = z.looseObject({
  id: z.string(),
  name: z.string().optional(),
  keys: z.array(z.looseObject({ key: z.string(), secret: z.string().optional(), state: z.string() })),
  webhooks: z.array(z.looseObject({})),
  managed_by: z.string(),
});
const removalSchema = z.record(z.string(), z.union([z.number(), z.boolean()]));

const EXAMPLES = `
Examples:
  $ countersign apps ls
  $ countersign apps create --name Shop limits.connections=500
  $ countersign apps set shop limits.connections=null
  $ countersign apps rm shop --dry-run`;

export function addApps(program: Command): void {
  const apps = program
    .command('apps')
    .description('Make, change and remove apps, with an admin token.')
    .addHelpText('after', EXAMPLES);
  const add = (usage: string, description: string, example: string): Command =>
    withAdmin(apps.command(usage))
      .description(description)
      .addHelpText('after', `\nExample:\n  $ countersign apps ${example}`);

  add('ls', 'List the apps.', 'ls --query shop')
    .option('--query <text>', 'only those whose id or name holds it')
    .action(list);
  add(
    'create [settings...]',
    'Make an app; its secret is shown once.',
    'create --id shop limits.connections=500',
  )
    .option('--id <id>', 'its id; else one is made')
    .option('--name <name>', 'what people call it')
    .action(create);
  add('show <id>', 'Show an app and its settings.', 'show shop').action(show);
  add(
    'set <id> <settings...>',
    'Change settings; null means the default.',
    'set shop cacheSeconds=60',
  ).action(change);
  add('rm <id>', 'Remove an app and all that is kept of it.', 'rm shop --yes')
    .option('--dry-run', 'only tell what that would remove')
    .option('--yes', 'do not ask')
    .action(remove);
}

async function list(options: Options): Promise<void> {
  const target = await findAdmin(options);
  const apps = await listAll(target, '/apps', 'apps', appSchema, { q: options.query });
  if (options.json) return printJson({ apps });
  print(
    table(
      ['id', 'keys', 'webhooks', 'managed by', 'name'],
      apps.map(({ id, keys, webhooks, managed_by, name }) => [
        id,
        keys.length,
        webhooks.length,
        managed_by,
        name ?? '',
      ]),
    ),
  );
}

async function create(settings: readonly string[], options: Options): Promise<void> {
  const { id, name } = options;
  const body = {
    ...readSettings(settings),
    ...(id !== undefined && { id }),
    ...(name !== undefined && { name }),
  };
  const target = await findAdmin(options);
  const app = await askAdmin(target, { method: 'POST', path: '/apps', answer: appSchema, body });
  if (options.json) return printJson(app);
  const rows = app.keys.flatMap(({ key, secret }) => [
    ['key', key],
    ...(secret === undefined ? [] : [['secret', secret]]),
  ]);
  print(table(['app', app.id], rows));
  note('The secret is not shown again.');
}

async function show(id: string, options: Options): Promise<void> {
  const target = await findAdmin(options);
  const app = await askAdmin(target, { method: 'GET', path: pathOf(id), answer: appSchema });
  if (options.json) return printJson(app);
  const { keys, webhooks: _webhooks, ...settings } = app;
  print(table(['setting', 'value'], flatten(settings)));
  print('');
  print(
    table(
      ['key', 'state'],
      keys.map(({ key, state }) => [key, state]),
    ),
  );
}

async function change(id: string, settings: readonly string[], options: Options): Promise<void> {
  const target = await findAdmin(options);
  const body = readSettings(settings);
  const app = await askAdmin(target, { method: 'PATCH', path: pathOf(id), answer: appSchema, body });
  if (options.json) return printJson(app);
  print(id);
  note(`App ${id} is changed, on all nodes.`);
}

async function remove(id: string, options: Options): Promise<void> {
  const { dryRun, yes, json } = options;
  if (!dryRun && !yes && !process.stdin.isTTY)
    throw new UsageError('countersign apps rm needs --yes where nobody can be asked, or --dry-run');
  const target = await findAdmin(options);
  if (dryRun || !yes) {
    const would = await askAdmin(target, {
      method: 'DELETE',
      path: pathOf(id),
      answer: removalSchema,
      query: { dry_run: 'true' },
    });
    if (dryRun && json) return printJson(would);
    const rows = Object.entries(would).filter(([name]) => name !== 'dry_run');
    const removed = table(
      ['would end', ''],
      rows.map(([name, count]) => [name.replaceAll('_', ' '), Number(count)]),
    );
    if (dryRun) return print(removed);
    note(removed);
    await confirm(id);
  }
  await askAdmin(target, { method: 'DELETE', path: pathOf(id), answer: z.undefined() });
  if (json) return printJson({ id, deleted: true });
  print(id);
  note(`App ${id} is gone.`);
}

/** @throws CommandError unless the person types the id */
async function confirm(id: string): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const typed = await lines.question(`Type ${id} to remove it: `);
  lines.close();
  if (typed.trim() !== id) throw new CommandError('Nothing was removed', 'not_confirmed');
}

function pathOf(id: string): string {
  return `/apps/${encodeURIComponent(id)}`;
}

/** Settings by their whole names. */
function flatten(settings: Readonly<Record<string, unknown>>, prefix = ''): [name: string, value: string][] {
  return Object.entries(settings).flatMap(([name, value]): [string, string][] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? flatten(value as Readonly<Record<string, unknown>>, `${prefix}${name}.`)
      : [[`${prefix}${name}`, typeof value === 'string' ? value : JSON.stringify(value)]],
  );
}
