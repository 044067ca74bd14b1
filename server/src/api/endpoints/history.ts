import { topicOf } from '../../adapter/topic.ts';
import type { App } from '../../apps/app.ts';
import { ApiError } from '../../errors.ts';
import type { LostCode } from '../../history/history.ts';
import { invalidChannel } from '../../http/check.ts';
import { type Channel, readChannel } from '../../protocol/channel.ts';
import type { Call, Endpoint } from '../endpoint.ts';
import { readLimit } from '../requests/page.ts';
import { eventsAnswer, nothingAnswer } from './answer-schemas.ts';

/** Bytes of the events of one answer, if there is more than one. */
const PAGE_BYTES = 4 * 1024 * 1024;

/** `GET channels/CHANNEL/events`: the history of a channel, page by page. */
export const listEvents: Endpoint = {
  method: 'GET',
  path: 'channels/:subject/events',
  publishes: false,
  scope: 'read',
  answer: eventsAnswer,
  async run(call) {
    const { app, query, adapter } = call;
    const channel = channelWithHistory(call);
    const after = query.get('after');
    const limit = readLimit(query);
    const page = await adapter.history.read(topicOf(app.id, channel.name), {
      after,
      limit,
      bytes: PAGE_BYTES,
    });
    if (typeof page === 'string') throw new ApiError(410, page, GONE[page]);
    return {
      events: page.events.map(({ position, name, data, userId, atMs }) => ({
        position,
        name,
        data,
        ...(userId !== undefined && { user_id: userId }),
        at_ms: atMs,
      })),
      position: page.events.at(-1)?.position ?? page.position,
      complete: page.isComplete,
    };
  },
};

/** `DELETE channels/CHANNEL/events`: drops all that a channel keeps. */
export const purgeEvents: Endpoint = {
  method: 'DELETE',
  path: 'channels/:subject/events',
  publishes: false,
  scope: 'revoke',
  answer: nothingAnswer,
  async run(call) {
    const channel = channelWithHistory(call);
    await call.adapter.history.purge(topicOf(call.app.id, channel.name));
    return {};
  },
};

const GONE: Readonly<Record<LostCode, string>> = {
  position_too_old: 'The events after this position are no longer kept: begin without "after"',
  position_unknown: 'No event of this channel had this position: begin without "after"',
};

/** @throws ApiError 400 if the channel keeps nothing */
export function checkHistory(app: App, { name }: Channel): void {
  if (app.historyOf(name)) return;
  throw new ApiError(
    400,
    'no_history',
    `The channel has no history: no rule in "history" of the app matches "${name}"`,
  );
}

function channelWithHistory({ app, subject }: Call): Channel {
  const maxLength = app.limits.channelNameLength;
  const channel = readChannel(subject, maxLength);
  if (!channel) throw invalidChannel('the path', subject, maxLength);
  checkHistory(app, channel);
  return channel;
}
