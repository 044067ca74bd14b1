/** `countersign usage`: what apps have used, by period. */
import { type Command, Option } from 'commander';
import { z } from 'zod';
import { units } from '../../../usage/period.ts';
import {
  type AdminOptions,
  type AdminTarget,
  askAdminForText,
  findAdmin,
  listAll,
  withAdmin,
} from '../../admin-target.ts';
import { print, printJson, table, writeOut } from '../../output.ts';

const FORMATS = ['json', 'csv', 'ndjson', 'cloudevents'] as const;

interface Options extends AdminOptions {
  readonly app?: string;
  readonly from?: string;
  readonly to?: string;
  readonly unit?: string;
  readonly format?: (typeof FORMATS)[number];
}

const rowSchema = z.looseObject({
  app: z.string(),
  from: z.string(),
  unit: z.string(),
  connections_peak: z.number(),
  connection_minutes: z.number(),
  messages_published: z.number(),
  client_events: z.number(),
  messages_delivered: z.number(),
  bytes_in: z.number(),
  bytes_out: z.number(),
  refused: z.number(),
  complete: z.boolean(),
});

export function addUsage(program: Command): void {
  withAdmin(program.command('usage'))
    .description('Print what the apps have used, by period.')
    .option('--app <id>', 'only this app (COUNTERSIGN_APP)')
    .option('--from <time>', 'the first period, in ISO 8601; else the start of this day')
    .option('--to <time>', 'before this one, in ISO 8601; else up to now')
    .addOption(new Option('--unit <unit>', 'length of a period; else day').choices(units))
    .addOption(new Option('--format <format>', 'print an export as it comes').choices(FORMATS))
    .addHelpText(
      'after',
      `
Examples:
  $ countersign usage --from 2027-01-01 --unit month
  $ countersign usage --app shop --from 2027-01-01 --format csv > january.csv`,
    )
    .action(usage);
}

async function usage(options: Options): Promise<void> {
  const target = await findAdmin(options);
  const { from, to, unit, format } = options;
  const query = { from, to, unit };
  const path = pathOf(options, target);
  if (format !== undefined && format !== 'json') {
    for await (const text of askAdminForText(target, path, { ...query, format })) await writeOut(text);
    return;
  }
  const rows = await listAll(target, path, 'rows', rowSchema, query);
  if (options.json || format === 'json') return printJson({ rows });
  print(
    table(
      [
        'from',
        'app',
        'peak',
        'minutes',
        'published',
        'client events',
        'delivered',
        'in',
        'out',
        'refused',
        '',
      ],
      rows.map((row) => [
        shownPeriod(row.from, row.unit),
        row.app,
        row.connections_peak,
        Math.round(row.connection_minutes),
        row.messages_published,
        row.client_events,
        row.messages_delivered,
        shownBytes(row.bytes_in),
        shownBytes(row.bytes_out),
        row.refused,
        row.complete ? '' : 'not complete',
      ]),
    ),
  );
}

/** An app of the environment or of a profile counts, too: without one it is the usage of all. */
function pathOf({ app }: Options, target: AdminTarget): string {
  const id = app ?? target.app;
  return id === undefined ? '/usage' : `/apps/${encodeURIComponent(id)}/usage`;
}

function shownPeriod(from: string, unit: string): string {
  if (unit === 'month') return from.slice(0, 7);
  return unit === 'day' ? from.slice(0, 10) : from.slice(0, 16).replace('T', ' ');
}

/** Such as `1.5 MB`. */
function shownBytes(bytes: number): string {
  const names = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const power = bytes < 1000 ? 0 : Math.min(names.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${names[power]}`;
}
