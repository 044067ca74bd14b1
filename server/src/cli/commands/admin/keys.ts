/** `countersign keys`: the keys of an app, over the admin API. */
import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import {
  type AdminOptions,
  type AdminTarget,
  askAdmin,
  findAdmin,
  listAll,
  withAdmin,
} from '../../admin-target.ts';
import { readTime, showTime } from '../../arguments.ts';
import { note, print, printJson, table } from '../../output.ts';
import { UsageError } from '../../usage-error.ts';

interface Options extends AdminOptions {
  readonly app?: string;
  readonly scope?: readonly string[];
  readonly expires?: string;
  readonly client?: boolean;
  readonly key?: string;
  readonly retireAfter?: number;
}

const keySchema = z.looseObject({
  key: z.string(),
  state: z.string(),
  client: z.literal(true).optional(),
  scopes: z.array(z.string()).optional(),
  expires_at: z.number().nullable(),
  last_used_at: z.number().nullable(),
  secret: z.string().optional(),
});
type Key = z.infer<typeof keySchema>;

const EXAMPLES = `
Examples:
  $ countersign keys ls --app shop
  $ countersign keys rotate --app shop --retire-after 86400`;

export function addKeys(program: Command): void {
  const keys = program
    .command('keys')
    .description('Make, rotate and revoke the keys of an app, with an admin token.')
    .addHelpText('after', EXAMPLES);
  const add = (usage: string, description: string, example: string): Command =>
    withAdmin(keys.command(usage))
      .option('--app <id>', 'id of the app (COUNTERSIGN_APP)')
      .description(description)
      .addHelpText('after', `\nExample:\n  $ countersign keys ${example}`);
  const scope = (value: string, before: readonly string[] = []) => [...before, value];

  add('ls', 'List the keys of an app.', 'ls --app shop').action(list);
  add('create', 'Make a key; its secret is shown once.', 'create --app shop --scope "publish:news-*"')
    .option(
      '--scope <scope>',
      'what the key may do, such as read or publish:news-*; can be given several times',
      scope,
    )
    .option('--expires <time>', 'when it ends, in ISO 8601')
    .option('--client', 'without a secret, so that it only names the app')
    .action(create);
  add(
    'revoke <key>',
    'End a key for good, and what it granted.',
    'revoke 3f2a90c1d4e5b6a7f809 --app shop',
  ).action(revoke);
  add('rotate', 'Make a key that is good for what the old one is.', 'rotate --app shop --retire-after 86400')
    .option('--key <key>', 'the old one; else the only one that signs')
    .option('--retire-after <seconds>', 'the old one ends so much later; else it stays', secondsOf)
    .action(rotate);
}

async function list(options: Options): Promise<void> {
  const { target, path } = await appOf(options);
  const keys = await listAll(target, path, 'keys', keySchema);
  if (options.json) return printJson({ keys });
  print(
    table(
      ['key', 'state', 'scopes', 'ends', 'last used'],
      keys.map(({ key, state, client, scopes, expires_at, last_used_at }) => [
        key,
        state,
        client ? 'client' : (scopes?.join(' ') ?? 'all'),
        showTime(expires_at),
        showTime(last_used_at),
      ]),
    ),
  );
}

async function create(options: Options): Promise<void> {
  const { scope, expires, client } = options;
  const body = {
    ...(scope && { scopes: scope }),
    ...(expires !== undefined && { expires_at: readTime('--expires', expires) }),
    ...(client && { client }),
  };
  const { target, path } = await appOf(options);
  const made = await askAdmin(target, { method: 'POST', path, answer: keySchema, body });
  if (options.json) return printJson(made);
  printMade(made);
}

async function revoke(key: string, options: Options): Promise<void> {
  const { target, path } = await appOf(options);
  const revoked = await changeKey(target, path, key, { state: 'revoked' });
  if (options.json) return printJson(revoked);
  print(key);
  note(`Key ${key} is revoked; what it signed has ended.`);
}

async function rotate(options: Options): Promise<void> {
  const { target, path } = await appOf(options);
  const old = signerOf(await listAll(target, path, 'keys', keySchema), options.key);
  const body = old.scopes ? { scopes: old.scopes } : {};
  const made = await askAdmin(target, { method: 'POST', path, answer: keySchema, body });
  const end = options.retireAfter === undefined ? null : Math.floor(Date.now() / 1000) + options.retireAfter;
  const isSooner = end !== null && (old.expires_at === null || end < old.expires_at);
  const retired = isSooner ? await changeKey(target, path, old.key, { expires_at: end }) : old;
  if (options.json)
    return printJson({ ...made, retiring: { key: retired.key, expires_at: retired.expires_at } });
  printMade(made);
  note(
    retired.expires_at === null
      ? `Key ${old.key} stays: end it with countersign keys revoke ${old.key}`
      : `Key ${old.key} ends at ${showTime(retired.expires_at)}.`,
  );
}

function changeKey(target: AdminTarget, keysPath: string, key: string, body: object): Promise<Key> {
  const path = `${keysPath}/${encodeURIComponent(key)}`;
  return askAdmin(target, { method: 'PATCH', path, answer: keySchema, body });
}

/** The key that is rotated. @throws UsageError unless it is certain which */
function signerOf(keys: readonly Key[], named: string | undefined): Key {
  const signers = keys.filter(({ client, state }) => !client && state !== 'revoked');
  const found =
    named === undefined && signers.length === 1 ? signers[0] : signers.find(({ key }) => key === named);
  if (found) return found;
  const known = signers.map(({ key }) => key).join(', ') || 'none';
  throw new UsageError(`--key: expected one of the keys that sign, which are ${known}`);
}

function printMade({ key, secret }: Key): void {
  print(table(['key', key], secret === undefined ? [] : [['secret', secret]]));
  if (secret !== undefined) note('The secret is not shown again.');
}

async function appOf(options: Options): Promise<{ readonly target: AdminTarget; readonly path: string }> {
  const target = await findAdmin(options);
  const app = options.app ?? target.app;
  if (!app) throw new UsageError('No app: give --app, COUNTERSIGN_APP, or a profile (countersign login)');
  return { target, path: `/apps/${encodeURIComponent(app)}/keys` };
}

function secondsOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected whole seconds.');
}
