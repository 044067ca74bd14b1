/** `countersign nodes`: the nodes of the service. */
import type { Command } from 'commander';
import { z } from 'zod';
import { type AdminOptions, askAdmin, findAdmin, listAll, withAdmin } from '../../admin-target.ts';
import { showTime } from '../../arguments.ts';
import { note, print, printJson, table } from '../../output.ts';

const nodeSchema = z.looseObject({
  id: z.string(),
  version: z.string(),
  since: z.number(),
  connections: z.number(),
  load: z.number(),
  state: z.string(),
});

export function addNodes(program: Command): void {
  const nodes = program
    .command('nodes')
    .description('Look at nodes, and drain them, with an admin token.')
    .addHelpText('after', '\nExample:\n  $ countersign nodes ls');
  withAdmin(nodes.command('ls'))
    .description('List the nodes; the workers of one machine are one node.')
    .addHelpText('after', '\nExample:\n  $ countersign nodes ls')
    .action(list);
  withAdmin(nodes.command('drain <node>'))
    .description('Drain a node, as SIGTERM does.')
    .addHelpText('after', '\nExample:\n  $ countersign nodes drain node-3kTq9AbZ')
    .action(drain);
}

async function list(options: AdminOptions): Promise<void> {
  const nodes = await listAll(await findAdmin(options), '/nodes', 'nodes', nodeSchema);
  if (options.json) return printJson({ nodes });
  print(
    table(
      ['node', 'state', 'connections', 'load', 'since', 'version'],
      nodes.map(({ id, state, connections, load, since, version }) => [
        id,
        state,
        connections,
        `${Math.round(load * 100)} %`,
        showTime(since),
        version,
      ]),
    ),
  );
}

async function drain(node: string, options: AdminOptions): Promise<void> {
  const path = `/nodes/${encodeURIComponent(node)}/drain`;
  const target = await findAdmin(options);
  const draining = await askAdmin(target, { method: 'POST', path, answer: z.unknown() });
  if (options.json) return printJson(draining);
  print(node);
  note(`Node ${node} drains.`);
}
