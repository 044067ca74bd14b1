/** `countersign dev`: a broker with one app on the loopback, and a page to try it. */
import type { Command } from 'commander';
import type { DevFlags } from '../dev/run.ts';

export function addDev(program: Command): void {
  program
    .command('dev')
    .description('Run a broker on loopback with one app, and a page to try it.')
    .option('--host <address>', 'only 127.0.0.1 is taken')
    .option('--port <number>', 'default 6001')
    .option('--secret <text>', 'instead of a new one at each start; COUNTERSIGN_DEV_SECRET gives it too')
    .addHelpText('after', '\nExample:\n  $ countersign dev --port 7001')
    // The broker takes a while to load, so no other command does.
    .action(async (flags: DevFlags) => (await import('../dev/run.ts')).runDev(flags));
}
