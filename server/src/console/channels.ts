import type { Adapter } from '../adapter/adapter.ts';
import { topicOf } from '../adapter/topic.ts';
import type { App } from '../apps/app.ts';
import { invalidChannel } from '../http/check.ts';
import { type ChannelKind, readChannel } from '../protocol/channel.ts';

/** The occupied channels with the most subscriptions, and how many channels are occupied. */
export interface ChannelList {
  readonly total: number;
  readonly channels: readonly ListedChannel[];
}

export interface ListedChannel {
  readonly name: string;
  readonly kind: ChannelKind;
  readonly subscriptions: number;
  readonly members: number;
}

/** One channel on all nodes. */
export interface ChannelState {
  readonly name: string;
  readonly kind: ChannelKind;
  readonly cache: boolean;
  readonly subscriptions: number;
  readonly members: readonly { readonly id: string; readonly info: unknown }[];
  /** The kept event of a cache channel. */
  readonly last: { readonly name: string; readonly data: string; readonly ttlSeconds: number } | undefined;
}

/** Channels in one list. */
const MAX_LISTED = 500;
/** The highest `channelNameLength` of an app. A channel that is occupied keeps its name when its app lowers the limit. */
const MAX_NAME_LENGTH = 1000;

/** Lists the occupied channels whose names start with a prefix and contain a text, those with the most subscriptions first. */
export async function listChannels(
  adapter: Adapter,
  app: App,
  { prefix, contains }: { readonly prefix: string; readonly contains: string },
): Promise<ChannelList> {
  const found: ListedChannel[] = [];
  for (const [name, { subscriptions, members }] of await adapter.roster.channels(app.id, prefix)) {
    if (!name.includes(contains)) continue;
    const kind = readChannel(name, MAX_NAME_LENGTH)?.kind;
    if (kind !== undefined && kind !== 'user') found.push({ name, kind, subscriptions, members });
  }
  found.sort((a, b) => b.subscriptions - a.subscriptions || (a.name < b.name ? -1 : 1));
  return { total: found.length, channels: found.slice(0, MAX_LISTED) };
}

/** @throws ApiError 400 if the name is not valid */
export async function showChannel(adapter: Adapter, app: App, name: string): Promise<ChannelState> {
  const channel = readChannel(name, MAX_NAME_LENGTH);
  if (!channel || channel.kind === 'user') throw invalidChannel('the query', name, MAX_NAME_LENGTH);
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
