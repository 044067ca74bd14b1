import { rightOf } from '../../access/access.ts';
import type { Hub } from '../../hub/hub.ts';
import type { Connection } from '../../socket/connection.ts';
import type { ConnectionReport, FromNode, JoinedChannel } from './live-reports.ts';

/** Channels of one connection in a report. */
const MAX_CHANNELS = 100;

/** What a connection is, and where it is. */
export function reportConnection(hub: Hub, connection: Connection): Omit<ConnectionReport, keyof FromNode> {
  const { app, socketId, since, client, address, key, userId, bufferedBytes } = connection;
  const joined = connection.channels.filter(({ kind }) => kind !== 'user');
  const channels = joined.slice(0, MAX_CHANNELS).flatMap(({ name, kind }): readonly JoinedChannel[] => {
    const subscription = hub.subscriptions.channel(app, name)?.get(connection);
    if (!subscription) return [];
    const { grant, term, position } = subscription;
    const right = rightOf(app, name, connection, grant);
    return [
      {
        name,
        since: subscription.since,
        userId: subscription.userId,
        position,
        grant:
          kind === 'public'
            ? undefined
            : {
                id: right.grantId,
                key: right.key,
                expiresAt: term?.expiresAt ?? grant.claims?.expiresAt,
                mayPublish: grant.claims?.mayPublish ?? true,
              },
      },
    ];
  });
  const totalChannels = joined.length;
  return {
    socketId,
    since,
    client,
    address,
    key,
    userId,
    unreadBytes: bufferedBytes,
    totalChannels,
    channels,
  };
}
