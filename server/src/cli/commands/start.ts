/** `countersign start`: runs the broker. */
import type { Command } from 'commander';
import type { BrokerFlags } from '../run-broker.ts';

const NOTES = `
Example:
  $ countersign start --config countersign.json --workers auto

Each setting can also be given by the environment, such as COUNTERSIGN_LOG__LEVEL=debug.
Signals: SIGTERM and SIGINT stop gracefully, a second one at once; SIGHUP reloads the apps and
certificates; SIGUSR2 also replaces all workers, one after the other.`;

export function addStart(program: Command): void {
  program
    .command('start')
    .description('Run the broker.')
    .option('--config <file>', 'JSON file (COUNTERSIGN_CONFIG); else countersign.json, if there is one')
    .option('--host <address>', 'overrides the file')
    .option('--port <number>', 'overrides the file')
    .option('--workers <number>', 'processes that share the port, or auto for one per core', '1')
    .addHelpText('after', NOTES)
    // The broker takes a while to load, so no other command does.
    .action(async (flags: BrokerFlags) => (await import('../run-broker.ts')).runBroker(flags));
}
