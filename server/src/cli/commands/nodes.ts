/** `countersign nodes`: the nodes of the service. */
import type { Command } from 'commander';
import { type AdminOptions, askAdmin, findAdmin, listAll, withAdmin } from '../admin-target.ts';
import { showTime } from '../arguments.ts';
import { note, print, printJson, table } from '../output.ts';

interface Node {
  readonly id: string;
  readonly version: string;
  readonly since: number;
  readonly connections: number;
  readonly load: number;
  readonly state: string;
}

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
  const nodes: Node[] = await listAll(await findAdmin(options), '/nodes', 'nodes');
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
  const draining = await askAdmin(await findAdmin(options), 'POST', path);
  if (options.json) return printJson(draining);
  print(node);
  note(`Node ${node} drains.`);
}
