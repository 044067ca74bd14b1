import type { AppKey } from '../../apps/keys/app-key.ts';
import { ApiError } from '../../errors.ts';
import { publishAll } from '../../hub/publish-all.ts';
import type { PublishingCall } from '../endpoint.ts';
import { describeChannel } from '../info.ts';
import type { EventRequest } from '../requests/requests.ts';
import { checkScope } from '../requests/scope.ts';
import { publishOnce } from './publish-once.ts';

/** The outcome of publishing a list of events. */
export interface Published {
  /** Of the channel of each event; `undefined` if none was asked about. */
  readonly attributes: readonly object[] | undefined;
  /** Whether all of it was published before. */
  readonly isRepeated: boolean;
}

/**
 * Publishes events in their order, each to its one channel.
 *
 * @throws ApiError, Unavailable and InDoubt as {@link publishOnce}
 */
export async function publishEvents(
  call: PublishingCall,
  events: readonly EventRequest[],
): Promise<Published> {
  checkQuota(
    call,
    events.reduce((sum, { channels }) => sum + channels.length, 0),
  );
  if (events.some(({ idempotencyKey }) => idempotencyKey !== undefined)) {
    const { attributes, isRepeated, published } = await publishOnce(call, events);
    count(call, published);
    return { attributes: attributes?.map(([of]) => of ?? {}), isRepeated };
  }
  const { app, hub, adapter } = call;
  const published = events.map((event) => hub.publishEach(app, event.channels, event));
  await publishAll(published.flat());
  count(call, published.flat().length);
  if (events.every(({ info }) => info.length === 0)) return { attributes: undefined, isRepeated: false };
  const described = events.map(async ({ channels: [channel], info }, index) =>
    channel ? describeChannel(adapter, app, channel, info, await published[index]?.[0]) : {},
  );
  return { attributes: await Promise.all(described), isRepeated: false };
}

/** @throws ApiError 403 if so many messages would pass the quota of the day: then nothing of the request is published */
export function checkQuota({ app, quotas }: PublishingCall, messages: number): void {
  if (quotas.allowsMessages(app, messages)) return;
  const why = `The app has a quota of ${app.limits.messagesPerDay} messages a day`;
  throw new ApiError(403, 'quota_exceeded', `${why}: the next day begins at midnight UTC`);
}

/** Counts what was published: each event once for each of its channels. */
export function count({ usage, body }: PublishingCall, published: number): void {
  usage.published += published;
  usage.publishedBytes += body.length;
}

/** @throws ApiError 403 if the key may not publish to one of the channels: then nothing of the request is published */
export function checkChannels(key: AppKey, { channels }: EventRequest): void {
  if (key.scopes.texts === null) return;
  for (const { name } of channels) checkScope(key, key.scopes.missingFor('publish', name));
}
