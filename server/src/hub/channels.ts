import type { Logger } from 'pino';
import type { Bus } from '../adapter/adapter.ts';
import { appOfTopic, type Topic } from '../adapter/topic.ts';
import type { App } from '../apps/app.ts';
import { severityOf } from '../errors.ts';
import { type Metrics, zeroOfEachKind } from '../metrics.ts';
import type { Channel, ChannelKind } from '../protocol/channel.ts';
import { LocalChannel } from './local-channel.ts';

/** The size of an app on this node. */
export interface AppCounts {
  /** Channels with a subscriber. */
  readonly channels: Record<ChannelKind, number>;
  /** Users in presence channels; a user in two channels counts twice. */
  members: number;
}

/** The channels with subscribers on this node. The node listens to each of them. */
export class Channels {
  readonly #channels = new Map<Topic, LocalChannel>();
  readonly #bus: Bus;
  readonly #metrics: Metrics;
  readonly #monotonic: () => number;
  readonly #log: Logger;

  /** @param monotonic milliseconds of a monotonic clock */
  constructor(bus: Bus, metrics: Metrics, monotonic: () => number, log: Logger) {
    this.#bus = bus;
    this.#metrics = metrics;
    this.#monotonic = monotonic;
    this.#log = log;
  }

  get(topic: Topic): LocalChannel | undefined {
    return this.#channels.get(topic);
  }

  all(): Iterable<readonly [Topic, LocalChannel]> {
    return this.#channels;
  }

  /** Returns the channel, and starts to listen to it if it is new. */
  open(app: App, channel: Channel, topic: Topic): LocalChannel {
    let local = this.#channels.get(topic);
    if (!local) {
      const listening = this.#bus.listen(topic);
      local = new LocalChannel(app, channel, listening, this.#metrics.app(app.id), this.#monotonic);
      this.#channels.set(topic, local);
      local.metrics.channels += 1;
    }
    return local;
  }

  closeIfEmpty(topic: Topic, local: LocalChannel): void {
    if (!local.isEmpty || this.#channels.get(topic) !== local) return;
    this.#channels.delete(topic);
    local.metrics.channels -= 1;
    this.#bus.ignore(topic).catch((error: unknown) => {
      this.#log[severityOf(error)]({ err: error, topic }, 'failed to stop listening to a topic');
    });
  }

  /** Counts by app id. Iterates over all channels. */
  census(): ReadonlyMap<string, AppCounts> {
    const apps = new Map<string, AppCounts>();
    for (const [topic, local] of this.#channels) {
      const appId = appOfTopic(topic);
      let app = apps.get(appId);
      if (!app) {
        app = { channels: zeroOfEachKind(), members: 0 };
        apps.set(appId, app);
      }
      const { kind } = local.channel;
      app.channels[kind] += 1;
      if (kind === 'presence') app.members += local.countMembers();
    }
    return apps;
  }
}
