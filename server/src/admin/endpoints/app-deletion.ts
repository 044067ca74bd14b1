import { z } from 'zod';
import { refuseOutdated, storedAppOf } from '../app-access.ts';
import { type AdminCall, type AdminEndpoint, WRITERS } from '../http/endpoint.ts';
import { deletionAnswer } from '../http/schemas.ts';
import { figuresOf } from '../live.ts';
import { type AppRecord, documentId } from '../registry/records.ts';

/** Ends an app, or tells what that would remove. */
export const deleteApp: AdminEndpoint = {
  operationId: 'deleteApp',
  summary: 'Ends the connections of an app with 4001 and removes what is kept of it',
  method: 'DELETE',
  path: '/apps/{app_id}',
  roles: WRITERS,
  query: z.strictObject({
    dry_run: z.enum(['true', 'false']).optional().describe('true: only tells what would be removed'),
  }),
  status: 204,
  answer: deletionAnswer,
  async run(call) {
    const app = storedAppOf(call);
    refuseOutdated(call, app);
    if (call.query['dry_run'] === 'true') return { status: 200, body: await wouldRemove(call, app) };
    const answer = await call.change(() => {
      const before = storedAppOf(call);
      refuseOutdated(call, before);
      return {
        remove: [documentId('app', app.id)],
        forget: [app.id],
        entries: [call.entry('app.deleted', { app: app.id })],
        result: { status: 204 },
      };
    });
    await call.live.forgetApp(app.id);
    return answer;
  },
};

async function wouldRemove({ live }: AdminCall, app: AppRecord): Promise<object> {
  const [{ connections }, { channels }, pending, historyBytes] = await Promise.all([
    figuresOf(live, app.id),
    live.channels(app.id),
    live.pending(app.id),
    live.historyBytes(app.id),
  ]);
  return {
    dry_run: true,
    connections,
    channels,
    keys: app.keys.length,
    webhooks: app.webhooks.length,
    deliveries_pending: pending,
    history_bytes: historyBytes,
  };
}
