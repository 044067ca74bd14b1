import { publishAll } from '../hub/publish-all.ts';
import type { Endpoint } from './endpoint.ts';
import { describeChannel } from './info.ts';
import { parseBatch, parsePublish } from './requests.ts';

/** `POST events`: one event to one or more channels. */
export const publish: Endpoint = {
  method: 'POST',
  path: 'events',
  publishes: true,
  async run({ app, body, hub, adapter }) {
    const { channels, name, data, except, info } = parsePublish(app, body);
    await hub.publish(app, channels, { name, data, except });
    if (info.length === 0) return {};
    const described = channels.map(
      async (channel) => [channel.name, await describeChannel(adapter, app, channel, info)] as const,
    );
    return { channels: Object.fromEntries(await Promise.all(described)) };
  },
};

/** `POST batch_events`: several events, each to one channel, in their order. */
export const publishBatch: Endpoint = {
  method: 'POST',
  path: 'batch_events',
  publishes: true,
  async run({ app, body, hub, adapter }) {
    const events = parseBatch(app, body);
    await publishAll(
      events.map(({ channels, name, data, except }) => hub.publish(app, channels, { name, data, except })),
    );
    if (events.every(({ info }) => info.length === 0)) return {};
    const described = events.map(({ channels: [channel], info }) =>
      channel ? describeChannel(adapter, app, channel, info) : {},
    );
    return { batch: await Promise.all(described) };
  },
};
