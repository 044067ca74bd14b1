import { isChannelName } from '@countersign/sdk-server/signature';
import { isUserTopic, topicOf } from '../../adapter/topic.ts';
import { ApiError } from '../../errors.ts';
import { invalidChannel } from '../../http/check.ts';
import { type Channel, readChannel } from '../../protocol/channel.ts';
import type { Call, Endpoint } from '../endpoint.ts';
import { applies, describeCounts, readInfo } from '../info.ts';
import { channelAnswer, channelsAnswer, membersAnswer } from './answer-schemas.ts';
import { checkHistory } from './history.ts';

/** `GET channels`: the occupied channels. */
export const listChannels: Endpoint = {
  method: 'GET',
  path: 'channels',
  publishes: false,
  scope: 'read',
  answer: channelsAnswer,
  async run({ app, query, adapter }) {
    const prefix = query.get('filter_by_prefix') ?? '';
    if (prefix !== '' && !isChannelName(prefix, app.limits.channelNameLength)) {
      throw invalidChannel('"filter_by_prefix"', prefix, app.limits.channelNameLength);
    }
    const info = readInfo(query.get('info'), ['user_count']);
    if (info.length > 0 && !prefix.startsWith('presence-')) {
      throw new ApiError(
        400,
        'invalid_parameter',
        '"info=user_count" needs a "filter_by_prefix" that begins with presence-',
      );
    }
    const found = await adapter.roster.channels(app.id, prefix);
    const channels = Array.from(found)
      .filter(([name]) => !isUserTopic(topicOf(app.id, name)))
      .map(([name, counts]) => [name, describeCounts(counts, info)] as const);
    return { channels: Object.fromEntries(channels) };
  },
};

/** `GET channels/CHANNEL`: the state of one channel, also if it has no subscribers. */
export const showChannel: Endpoint = {
  method: 'GET',
  path: 'channels/:subject',
  publishes: false,
  scope: 'read',
  answer: channelAnswer,
  async run(call) {
    const { app, query, adapter } = call;
    const channel = namedChannel(call);
    const info = readInfo(query.get('info'), ['user_count', 'subscription_count', 'cache', 'position']);
    for (const attribute of info) {
      if (applies(attribute, app, channel)) continue;
      if (attribute === 'position') checkHistory(app, channel);
      throw new ApiError(
        400,
        'invalid_parameter',
        `"${attribute}" in "info" does not apply to a channel of this kind: leave it out`,
      );
    }
    const topic = topicOf(app.id, channel.name);
    const counts = await adapter.roster.counts(topic);
    const state = { occupied: counts.subscriptions > 0, ...describeCounts(counts, info) };
    const [last, position] = await Promise.all([
      info.includes('cache') ? adapter.channelCache.last(topic) : undefined,
      info.includes('position') ? adapter.history.position(topic) : undefined,
    ]);
    return {
      ...state,
      ...(info.includes('cache') && { cache: last ? { data: last.data, ttl: last.ttlSeconds } : null }),
      ...(position !== undefined && { position }),
    };
  },
};

/** `GET channels/CHANNEL/users`: who is in a presence channel. */
export const listUsers: Endpoint = {
  method: 'GET',
  path: 'channels/:subject/users',
  publishes: false,
  scope: 'read',
  answer: membersAnswer,
  async run(call) {
    const { app, adapter } = call;
    const channel = namedChannel(call);
    if (channel.kind !== 'presence') {
      throw new ApiError(
        400,
        'not_a_presence_channel',
        'Only presence channels have users: expected a name that begins with presence-',
      );
    }
    const { members } = await adapter.roster.snapshot(topicOf(app.id, channel.name));
    return { users: members.map(({ userId }) => ({ id: userId })) };
  },
};

function namedChannel({ app, subject }: Call): Channel {
  const maxLength = app.limits.channelNameLength;
  const channel = readChannel(subject, maxLength);
  // Apps publish to user channels, but cannot ask for their state.
  if (!channel || channel.kind === 'user') throw invalidChannel('the path', subject, maxLength);
  return channel;
}
