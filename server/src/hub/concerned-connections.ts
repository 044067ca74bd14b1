import { userOf } from '../access/grant.ts';
import type { RecordingTarget } from '../adapter/recordings.ts';
import { appOfTopic } from '../adapter/topic.ts';
import type { Recordable } from '../recorder/flight-recorder.ts';
import type { Channels } from './channels.ts';

/** The connections of this process that have a socket id, are signed in as a user, or hold a grant of that user. */
export function concernedConnections<
  Connection extends Recordable & { readonly userId?: string | undefined },
>(
  appId: string,
  { userId, socketId }: RecordingTarget,
  connections: Iterable<Connection>,
  channels: Channels,
): readonly Connection[] {
  const socketIds = new Set(socketId === undefined ? [] : [socketId]);
  if (userId !== undefined) {
    for (const [topic, local] of channels.all()) {
      if (appOfTopic(topic) !== appId) continue;
      for (const [subscriber, { grant }] of local.all())
        if (userOf(grant) === userId) socketIds.add(subscriber.socketId);
    }
  }
  return [...connections].filter(
    (each) =>
      each.app.id === appId &&
      (socketIds.has(each.socketId) || (userId !== undefined && each.userId === userId)),
  );
}
