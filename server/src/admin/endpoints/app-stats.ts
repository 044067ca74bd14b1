import { findApp, idOf, viewOf } from '../app-access.ts';
import { type AdminEndpoint, READERS } from '../http/endpoint.ts';
import { statsAnswer } from '../http/schemas.ts';
import type { AppView } from '../http/views.ts';
import { figuresOf } from '../live.ts';

const MS_PER_MINUTE = 60_000;

/** How an app fares. */
export const showStats: AdminEndpoint = {
  operationId: 'showAppStats',
  summary: 'What happens in an app now',
  method: 'GET',
  path: '/apps/{app_id}/stats',
  roles: READERS,
  status: 200,
  answer: statsAnswer,
  async run(call) {
    const found = findApp(call);
    const id = idOf(found);
    const [figures, { channels, members }, [used]] = await Promise.all([
      figuresOf(call.live, id),
      call.live.channels(id),
      call.usage.used([id], call.now * 1000),
    ]);
    const minutes = Math.floor((used?.connectionMs ?? 0) / MS_PER_MINUTE);
    const { limits } = viewOf(found, {}, call.now) as AppView & { limits: Record<string, number | null> };
    const near = (limit: number | null = null, used: number) => ({
      limit,
      used,
      ratio: limit === null ? null : used / limit,
    });
    return {
      status: 200,
      body: {
        connections: figures.connections,
        channels,
        members,
        messages_per_second: figures.messagesPerSecond,
        deliveries_per_second: figures.deliveriesPerSecond,
        limits: {
          connections: near(limits['connections'], figures.connections),
          messagesPerDay: near(limits['messagesPerDay'], used?.messages ?? 0),
          connectionMinutesPerMonth: near(limits['connectionMinutesPerMonth'], minutes),
          httpRequestsPerSecond: near(limits['httpRequestsPerSecond'], figures.requestsPerSecond),
        },
      },
    };
  },
};
