import type { Adapter } from '../adapter/adapter.ts';
import type { App } from '../apps/app.ts';
import { publishAll } from '../hub/publish-all.ts';
import type { Endpoint } from './endpoint.ts';
import { describeChannel } from './info.ts';
import { type EventRequest, parseBatch, parsePublish } from './requests.ts';

/** The answer where nothing was asked. */
const NOTHING: object = {};
const nothing = () => NOTHING;

/** `POST events`: one event to one or more channels. */
export const publish: Endpoint = {
  method: 'POST',
  path: 'events',
  publishes: true,
  run({ app, body, hub, adapter }) {
    const event = parsePublish(app, body);
    const published = hub.publishToAll(app, event.channels, event);
    if (event.info.length > 0) return describeAfter(published, adapter, app, event);
    return published ? published.then(nothing) : NOTHING;
  },
};

/** In answers to batches: how many events of one the broker takes. In requests: the client knows that limit. */
const BATCH_SIZE = 'countersign-batch-size';

/** `POST batch_events`: several events, each to one channel, in their order. */
export const publishBatch: Endpoint = {
  method: 'POST',
  path: 'batch_events',
  publishes: true,
  answerHeaders: ({ limits }) => ({ [BATCH_SIZE]: String(limits.coalescedBatchSize) }),
  async run({ app, headers, body, hub, adapter }) {
    const { batchSize, coalescedBatchSize } = app.limits;
    const events = parseBatch(app, body, headers[BATCH_SIZE] === undefined ? batchSize : coalescedBatchSize);
    await publishAll(events.map((event) => hub.publishToAll(app, event.channels, event)));
    if (events.every(({ info }) => info.length === 0)) return NOTHING;
    const described = events.map(({ channels: [channel], info }) =>
      channel ? describeChannel(adapter, app, channel, info) : {},
    );
    return { batch: await Promise.all(described) };
  },
};

async function describeAfter(
  published: Promise<void> | undefined,
  adapter: Adapter,
  app: App,
  { channels, info }: EventRequest,
): Promise<object> {
  await published;
  const described = channels.map(
    async (channel) => [channel.name, await describeChannel(adapter, app, channel, info)] as const,
  );
  return { channels: Object.fromEntries(await Promise.all(described)) };
}
