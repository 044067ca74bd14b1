import { parseBody } from './body.ts';
import type { Endpoint } from './endpoint.ts';

/** `POST users/USER_ID/terminate_connections`: closes what is signed in as this user, on every node. */
export const terminateConnections: Endpoint = {
  method: 'POST',
  path: 'users/:subject/terminate_connections',
  publishes: false,
  async run({ app, subject, body, adapter }) {
    if (body.length > 0) parseBody(body);
    await adapter.bus.command({ kind: 'terminateUser', appId: app.id, userId: subject });
    return {};
  },
};
