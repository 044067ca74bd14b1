import { publishAll } from '../../hub/publish-all.ts';
import { type Call, type Endpoint, Repeated } from '../endpoint.ts';
import { describeChannel } from '../info.ts';
import { checkChannels, checkQuota, count, publishEvents } from '../publishing/publish-events.ts';
import { publishOnce } from '../publishing/publish-once.ts';
import {
  batchSchema,
  type EventRequest,
  parseBatch,
  parsePublish,
  publishSchema,
} from '../requests/requests.ts';
import { batchAnswer, publishAnswer } from './answer-schemas.ts';

/** The answer where nothing was asked. */
const NOTHING: object = {};

/** `POST events`: one event to one or more channels. */
export const publish: Endpoint = {
  method: 'POST',
  path: 'events',
  publishes: true,
  scope: 'publish',
  answer: publishAnswer,
  body: publishSchema,
  run(call) {
    const { app, key, body, hub, traceparent } = call;
    const event = parsePublish(app, body, traceparent);
    checkChannels(key, event);
    checkQuota(call, event.channels.length);
    if (event.idempotencyKey !== undefined) return publishKeyed(call, event);
    if (event.info.length > 0) return publishAndDescribe(call, event);
    const published = hub.publishToAll(app, event.channels, event);
    return published ? published.then(() => answerPublished(call, event)) : answerPublished(call, event);
  },
};

/** In answers to batches: how many events of one the broker takes. In requests: the client knows that limit. */
const BATCH_SIZE = 'countersign-batch-size';

/** `POST batch_events`: several events, each to one channel, in their order. */
export const publishBatch: Endpoint = {
  method: 'POST',
  path: 'batch_events',
  publishes: true,
  scope: 'publish',
  answer: batchAnswer,
  body: batchSchema,
  answerHeaders: ({ limits }) => ({ [BATCH_SIZE]: String(limits.coalescedBatchSize) }),
  async run(call) {
    const { app, key, headers, body, traceparent } = call;
    const { batchSize, coalescedBatchSize } = app.limits;
    const most = headers[BATCH_SIZE] === undefined ? batchSize : coalescedBatchSize;
    const events = parseBatch(app, body, most, traceparent);
    for (const event of events) checkChannels(key, event);
    const { attributes, isRepeated } = await publishEvents(call, events);
    return answerOnce(attributes ? { batch: attributes } : NOTHING, isRepeated);
  },
};

function answerPublished(call: Call, { channels }: EventRequest): object {
  count(call, channels.length);
  return NOTHING;
}

async function publishAndDescribe(call: Call, event: EventRequest): Promise<object> {
  const { app, hub, adapter } = call;
  const { channels, info } = event;
  const published = hub.publishEach(app, channels, event);
  await publishAll(published);
  count(call, channels.length);
  const described = channels.map(async (channel, index) => {
    const position = await published[index];
    return [channel.name, await describeChannel(adapter, app, channel, info, position)] as const;
  });
  return { channels: Object.fromEntries(await Promise.all(described)) };
}

async function publishKeyed(call: Call, event: EventRequest): Promise<object> {
  const { channels } = event;
  const { attributes, isRepeated, published } = await publishOnce(call, [event]);
  count(call, published);
  const [described] = attributes ?? [];
  if (!described) return answerOnce(NOTHING, isRepeated);
  const named = channels.map(({ name }, index) => [name, described[index] ?? {}] as const);
  return answerOnce({ channels: Object.fromEntries(named) }, isRepeated);
}

function answerOnce(answer: object, isRepeated: boolean): object {
  return isRepeated ? new Repeated(answer) : answer;
}
