import { z } from 'zod';
import { lookUp } from '../app-access.ts';
import { type AdminEndpoint, READERS } from '../http/endpoint.ts';
import { idList, idsOf, listOf, liveStatsAnswer } from '../http/schemas.ts';

/** How many apps fare at once: all nodes are asked one question. */
export const showLiveStats: AdminEndpoint = {
  operationId: 'showLiveStats',
  summary: 'What happens in several apps now',
  method: 'GET',
  path: '/stats',
  roles: READERS,
  query: z.strictObject({
    apps: idList.describe('Ids, with commas between them; those that do not exist are left out'),
  }),
  status: 200,
  answer: listOf('apps', liveStatsAnswer),
  async run(call) {
    const ids = idsOf(String(call.query['apps'])).filter((id) => lookUp(call, id));
    const figures = await call.live.figures(ids);
    const apps = figures.map(({ appId: id, connections, messagesPerSecond, deliveriesPerSecond }) => ({
      id,
      connections,
      messages_per_second: messagesPerSecond,
      deliveries_per_second: deliveriesPerSecond,
    }));
    return { status: 200, body: { apps } };
  },
};
