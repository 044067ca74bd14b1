import { rightOf } from '../../access/access.ts';
import type { HeldGrant, HeldQuery } from '../../adapter/questions.ts';
import { topicOf } from '../../adapter/topic.ts';
import type { Channels } from '../channels.ts';
import type { LocalChannel } from '../local-channel.ts';

/** The grants of this process that a query asks for, in their order. */
export function heldGrants(channels: Channels, query: HeldQuery): readonly HeldGrant[] {
  const held: HeldGrant[] = [];
  for (const local of channelsOf(channels, query)) {
    const { app, channel } = local;
    if (app.id !== query.appId || channel.kind === 'public') continue;
    for (const [subscriber, { grant, since, term }] of local.all()) {
      const { userId, socketId, grantId: id, key, issuedAt } = rightOf(app, channel.name, subscriber, grant);
      if (query.userId !== undefined && query.userId !== userId) continue;
      const place = `${channel.name} ${socketId}`;
      if (place <= query.after) continue;
      const expiresAt = term?.expiresAt ?? grant.claims?.expiresAt;
      const mayPublish = grant.claims?.mayPublish ?? true;
      held.push({
        place,
        socketId,
        userId,
        channel: channel.name,
        since,
        id,
        key,
        issuedAt,
        expiresAt,
        mayPublish,
      });
    }
  }
  return held.sort(byPlace).slice(0, query.limit);
}

/** Compares grants by their places. */
export function byPlace(a: HeldGrant, b: HeldGrant): number {
  return a.place < b.place ? -1 : 1;
}

function channelsOf(channels: Channels, { appId, channel }: HeldQuery): LocalChannel[] {
  if (channel === undefined) return [...channels.all()].map(([, local]) => local);
  const local = channels.get(topicOf(appId, channel));
  return local ? [local] : [];
}
