import { type AdminEndpoint, READERS, WRITERS } from '../http/endpoint.ts';
import { page } from '../http/pages.ts';
import { Problem } from '../http/problem.ts';
import { listOf, nodeAnswer, pageParameters } from '../http/schemas.ts';

const listNodes: AdminEndpoint = {
  operationId: 'listNodes',
  summary: 'The nodes of the service; the workers of one machine are one node',
  method: 'GET',
  path: '/nodes',
  roles: READERS,
  isWide: true,
  query: pageParameters,
  status: 200,
  answer: listOf('nodes', nodeAnswer),
  async run({ live, query }) {
    const { items, ...more } = page(await live.nodes(), ({ id }) => id, query);
    return { status: 200, body: { nodes: items, ...more } };
  },
};

const drainNode: AdminEndpoint = {
  operationId: 'drainNode',
  summary: 'Drains a node, as SIGTERM does',
  method: 'POST',
  path: '/nodes/{node}/drain',
  roles: WRITERS,
  isWide: true,
  status: 202,
  answer: nodeAnswer,
  async run(call) {
    const { live, parameters } = call;
    const name = parameters['node'] ?? '';
    const node = (await live.nodes()).find(({ id }) => id === name);
    if (!node || node.state === 'lost')
      throw new Problem('node_not_found', `There is no node "${name.slice(0, 64)}"`);
    const answer = await call.change(() => ({
      entries: [call.entry('node.drained', { target: name })],
      result: { status: 202, body: { ...node, state: 'draining' } },
    }));
    await live.drain(name);
    return answer;
  },
};

export const nodeEndpoints: readonly AdminEndpoint[] = [listNodes, drainNode];
