/** `countersign tokens`: who may use the admin API. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { adminRoles } from '../../../config/admin.ts';
import { type AdminOptions, askAdmin, findAdmin, listAll, withAdmin } from '../../admin-target.ts';
import { readTime, showTime } from '../../arguments.ts';
import { note, print, printJson, table } from '../../output.ts';

interface Options extends AdminOptions {
  readonly role?: string;
  readonly apps?: string;
  readonly expires?: string;
}

const tokenSchema = z.looseObject({
  name: z.string(),
  role: z.string(),
  apps: z.array(z.string()).nullish(),
  managed_by: z.string(),
  expires_at: z.number().nullable(),
  last_used_at: z.number().nullable(),
});
const madeSchema = z.looseObject({ token: z.string() });

export function addTokens(program: Command): void {
  const tokens = program
    .command('tokens')
    .description('Make and end admin tokens, as an owner.')
    .addHelpText('after', '\nExample:\n  $ countersign tokens create ann --role viewer --apps shop');
  const add = (usage: string, description: string, example: string): Command =>
    withAdmin(tokens.command(usage))
      .description(description)
      .addHelpText('after', `\nExample:\n  $ countersign tokens ${example}`);

  add('ls', 'List the tokens.', 'ls').action(list);
  add('create <name>', 'Make a token, which is shown once.', 'create ann --role viewer --apps shop,blog')
    .addOption(new Option('--role <role>', 'what it may do').choices(adminRoles).makeOptionMandatory())
    .option('--apps <ids>', 'only these apps, with commas between them')
    .option('--expires <time>', 'when it ends, in ISO 8601')
    .action(create);
  add('rm <name>', 'End a token.', 'rm ann').action(remove);
}

async function list(options: Options): Promise<void> {
  const tokens = await listAll(await findAdmin(options), '/tokens', 'tokens', tokenSchema);
  if (options.json) return printJson({ tokens });
  print(
    table(
      ['name', 'role', 'apps', 'managed by', 'ends', 'last used'],
      tokens.map(({ name, role, apps, managed_by, expires_at, last_used_at }) => [
        name,
        role,
        apps?.join(' ') ?? 'all',
        managed_by,
        showTime(expires_at),
        showTime(last_used_at),
      ]),
    ),
  );
}

async function create(name: string, options: Options): Promise<void> {
  const { role, apps, expires, json } = options;
  const body = {
    name,
    role,
    ...(apps !== undefined && { apps: apps.split(',') }),
    ...(expires !== undefined && { expires_at: readTime('--expires', expires) }),
  };
  const target = await findAdmin(options);
  const made = await askAdmin(target, { method: 'POST', path: '/tokens', answer: madeSchema, body });
  if (json) return printJson(made);
  print(made.token);
  note('The token is not shown again.');
}

async function remove(name: string, options: Options): Promise<void> {
  const path = `/tokens/${encodeURIComponent(name)}`;
  await askAdmin(await findAdmin(options), { method: 'DELETE', path, answer: z.undefined() });
  if (options.json) return printJson({ name, deleted: true });
  print(name);
  note(`Token ${name} is no longer valid.`);
}
