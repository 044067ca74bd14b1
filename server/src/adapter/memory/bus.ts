import type { Position } from '../../history/history.ts';
import type { MemoryHistory } from '../../history/memory-history.ts';
import type { MemoryRecords } from '../../idempotency/memory-records.ts';
import type { Once } from '../../idempotency/records.ts';
import type {
  Bus,
  BusListener,
  Command,
  EventMessage,
  Keep,
  Message,
  PublishedOnce,
  Version,
} from '../adapter.ts';
import type { DomainEvent, Journal } from '../journal.ts';
import { appOfTopic, channelOfTopic, type Topic } from '../topic.ts';
import type { Topics } from './topics.ts';

/** Carries messages within this process to the one listener, at once or as soon as the journal has recorded their events. */
export class MemoryBus implements Bus {
  readonly #topics: Topics;
  readonly #history: MemoryHistory;
  readonly #records: MemoryRecords;
  #listener: BusListener | undefined;
  #journal: Journal | undefined;
  /** The last message of each topic that waits for the journal; later ones wait for it. */
  readonly #waiting = new Map<Topic, Promise<void>>();

  constructor(topics: Topics, history: MemoryHistory, records: MemoryRecords) {
    this.#topics = topics;
    this.#history = history;
    this.#records = records;
  }

  attach(listener: BusListener, journal: Journal): void {
    this.#listener = listener;
    this.#journal = journal;
  }

  async listen(): Promise<void> {}

  async ignore(): Promise<void> {}

  publish(message: EventMessage, keep?: Keep): Promise<Position | undefined> | undefined {
    const position = this.#publish(message, keep);
    return position === undefined ? undefined : this.#stored(message.topic, position);
  }

  publishOnce(message: EventMessage, { id }: Once, keep?: Keep): Promise<PublishedOnce> | PublishedOnce {
    const appId = appOfTopic(message.topic);
    const channel = channelOfTopic(message.topic);
    const before = this.#records.published(appId, id, channel);
    const position = before ? before.position : this.#publish(message, keep);
    if (!before) this.#records.add(appId, id, channel, position);
    const published = { position, isNew: !before };
    // The first publish of an event that is published already may not be stored yet.
    const stored = this.#history.stored(appId);
    return stored ? stored.then(() => published) : published;
  }

  /** The publisher is answered once a durable event is stored; subscribers do not wait for that. */
  #stored(topic: Topic, position: Position): Promise<Position> {
    const stored = this.#history.stored(appOfTopic(topic));
    return stored ? stored.then(() => position) : Promise.resolve(position);
  }

  #publish(message: EventMessage, keep: Keep | undefined): Position | undefined {
    const committed = message.sender === undefined ? undefined : this.#recordClientEvent(message);
    const published = keep ? this.#keep(message, keep) : message;
    if (committed || this.#waiting.has(message.topic)) this.emit([published], committed);
    else this.#listener?.deliver(published);
    return published.position;
  }

  #keep(message: EventMessage, { history, lastSeconds }: Keep): EventMessage & { readonly version: Version } {
    const { topic } = message;
    const version = this.#topics.nextVersion();
    const kept = { ...message, version };
    const position = history && this.#history.append(appOfTopic(topic), channelOfTopic(topic), kept, history);
    if (lastSeconds !== undefined) this.#topics.keep(topic, { ...kept, position }, lastSeconds);
    return { ...kept, position };
  }

  #recordClientEvent(message: EventMessage): Promise<void> | undefined {
    const { topic, name, data, userId, sender: socketId, traceparent } = message;
    if (socketId === undefined) return undefined;
    return this.record([{ kind: 'clientEvent', topic, name, data, userId, socketId, traceparent }]);
  }

  async publishCount(topic: Topic, count: number, version: Version): Promise<void> {
    const committed = this.record([{ kind: 'subscriptionCount', topic, count }]);
    this.emit([{ kind: 'count', topic, count, version }], committed);
  }

  async command(command: Command): Promise<void> {
    this.#listener?.obey(command);
  }

  /** Records events in the journal, which reports its own failures. */
  record(events: readonly DomainEvent[]): Promise<void> | undefined {
    if (events.length === 0) return undefined;
    return this.#journal?.record(events)?.catch(() => {});
  }

  /**
   * Delivers messages of one topic, in the order of the calls.
   *
   * @param committed what the messages must wait for
   */
  emit(messages: readonly Message[], committed?: Promise<void>): undefined {
    const topic = messages[0]?.topic;
    if (!topic) return;
    const before = this.#waiting.get(topic);
    if (!before && !committed) return this.#deliver(messages);
    const turn = Promise.all([before, committed]).then(() => {
      if (this.#waiting.get(topic) === turn) this.#waiting.delete(topic);
      this.#deliver(messages);
    });
    this.#waiting.set(topic, turn);
  }

  #deliver(messages: readonly Message[]): undefined {
    for (const message of messages) this.#listener?.deliver(message);
  }
}
