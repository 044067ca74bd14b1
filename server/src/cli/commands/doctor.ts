/** `countersign doctor`: looks from outside at what a client needs, step by step, and names the cure. */
import type { Command } from 'commander';
import { readCount } from '../arguments.ts';
import type { Finding } from '../doctor/examination.ts';
import { examine } from '../doctor/examine.ts';
import { CommandError } from '../failure.ts';
import { painter, print, printJson, type Style } from '../output.ts';
import { findParts, parseUrl, type TargetOptions, withTarget } from '../target.ts';

interface Options extends TargetOptions {
  readonly origin?: string;
  readonly idle?: string;
  readonly authEndpoint?: string;
  readonly cookie?: string;
}

const MARKS: Readonly<Record<Finding['status'], readonly [mark: string, style: Style]>> = {
  ok: ['✓', 'green'],
  wrong: ['✗', 'red'],
  skipped: ['-', 'dim'],
};

export function addDoctor(program: Command): void {
  withTarget(program.command('doctor'))
    .description('Look from outside at what a client needs, step by step; exit code 1 if something is wrong.')
    .argument('[address]', 'of the broker, with its path prefix; else that of --url')
    .option('--origin <origin>', 'of the page that is to connect')
    .option('--idle <seconds>', 'keep a connection silent for so long')
    .option('--auth-endpoint <url>', 'of your backend')
    .option('--cookie <text>', 'that the page sends to the auth endpoint')
    .addHelpText(
      'after',
      `
Examples:
  $ countersign doctor https://channels.example.com --key KEY --origin https://example.com --idle 70
  $ countersign doctor --auth-endpoint https://example.com/pusher/auth --cookie 'session=…'`,
    )
    .action(doctor);
}

async function doctor(address: string | undefined, options: Options): Promise<void> {
  const parts = await findParts(options);
  const { origin, idle, authEndpoint, cookie } = options;
  const url = address === undefined ? parts.url : parseUrl(address);
  const steps = await examine({
    url,
    app: parts.app,
    key: parts.key,
    secret: parts.secret,
    origin,
    idleSeconds: idle === undefined ? undefined : readCount('--idle', idle),
    authEndpoint: authEndpoint === undefined ? undefined : parseUrl(authEndpoint),
    cookie,
  });
  const isWell = steps.every(({ status }) => status !== 'wrong');
  if (options.json) {
    printJson({ ok: isWell, url: url.href, steps });
    process.exitCode = isWell ? 0 : 1;
    return;
  }
  const paint = painter(process.stdout);
  const width = Math.max(...steps.map(({ step }) => step.length));
  for (const { step, status, detail, cure } of steps) {
    const [mark, style] = MARKS[status];
    const line = `${mark} ${step.padEnd(width)}  ${detail}`;
    print(status === 'ok' ? `${paint(style, mark)}${line.slice(1)}` : paint(style, line));
    if (cure !== undefined) print(`${' '.repeat(width + 4)}${paint('bold', cure)}`);
  }
  const count = steps.filter(({ status }) => status === 'wrong').length;
  if (!isWell) throw new CommandError(`${count} of ${steps.length} steps found something wrong`, 'wrong');
}
