import type { AppKey } from '../apps/app-key.ts';
import { publishAll } from '../hub/publish-all.ts';
import type { PublishingCall } from './endpoint.ts';
import { describeChannel } from './info.ts';
import { publishOnce } from './publish-once.ts';
import type { EventRequest } from './requests.ts';
import { checkScope } from './scope.ts';

/** What became of a list of events. */
export interface Published {
  /** Of the channel of each event; `undefined` if none was asked about. */
  readonly attributes: readonly object[] | undefined;
  /** All of it was published before. */
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
  const asksNothing = events.every(({ info }) => info.length === 0);
  if (events.some(({ idempotencyKey }) => idempotencyKey !== undefined)) {
    const { attributes, isRepeated } = await publishOnce(call, events);
    return { attributes: asksNothing ? undefined : attributes.map(([of]) => of ?? {}), isRepeated };
  }
  const { app, hub, adapter } = call;
  const published = events.map((event) => hub.publishEach(app, event.channels, event));
  await publishAll(published.flat());
  if (asksNothing) return { attributes: undefined, isRepeated: false };
  const described = events.map(async ({ channels: [channel], info }, index) =>
    channel ? describeChannel(adapter, app, channel, info, await published[index]?.[0]) : {},
  );
  return { attributes: await Promise.all(described), isRepeated: false };
}

/** @throws ApiError 403 if the key may not publish to one of the channels: then nothing of the request is published */
export function checkChannels(key: AppKey, { channels }: EventRequest): void {
  if (key.scopes.texts === null) return;
  for (const { name } of channels) checkScope(key, key.scopes.missingFor('publish', name));
}
