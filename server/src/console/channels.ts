import type { Adapter } from '../adapter/adapter.ts';
import { topicOf } from '../adapter/topic.ts';
import type { App } from '../apps/app.ts';
import { invalidChannel } from '../http/check.ts';
import { readChannel } from '../protocol/channel.ts';

/** Channels that a list shows. */
const MAX_LISTED = 500;

/** The occupied channels whose names begin with a prefix, those with most subscribers first. */
export async function listChannels(adapter: Adapter, app: App, prefix: string): Promise<object> {
  const found = Array.from(await adapter.roster.channels(app.id, prefix), ([name, counts]) => ({
    name,
    kind: readChannel(name)?.kind,
    subscriptions: counts.subscriptions,
    members: counts.members,
  })).filter(({ kind }) => kind !== undefined && kind !== 'user');
  found.sort((a, b) => b.subscriptions - a.subscriptions || (a.name < b.name ? -1 : 1));
  return { total: found.length, channels: found.slice(0, MAX_LISTED) };
}

/**
 * One channel as it stands on all nodes.
 *
 * @throws ApiError 400 if no channel can be called that
 */
export async function showChannel(adapter: Adapter, app: App, name: string): Promise<object> {
  const maxLength = app.limits.channelNameLength;
  const channel = readChannel(name, maxLength);
  if (!channel || channel.kind === 'user') throw invalidChannel('the query', name, maxLength);
  const { subscriptions, members, last } = await adapter.roster.snapshot(topicOf(app.id, name));
  return {
    name,
    kind: channel.kind,
    cache: channel.cache,
    subscriptions,
    members: members.map(({ userId, userInfo }) => ({ id: userId, info: userInfo && JSON.parse(userInfo) })),
    last: last && { name: last.name, data: last.data, ttlSeconds: last.ttlSeconds },
  };
}
