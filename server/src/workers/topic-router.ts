import type { Bus, BusListener, Command, Message, Missed } from '../adapter/adapter.ts';
import type { Topic } from '../adapter/topic.ts';

/** The workers that listen to a topic, and since when the bus brings its messages. */
interface Audience {
  readonly workers: Set<BusListener>;
  readonly listening: Promise<void>;
}

/** Listens to the topics of all workers, and passes each message on to those that listen to its topic, once. */
export class TopicRouter implements BusListener {
  readonly #bus: Bus;
  readonly #workers = new Set<BusListener>();
  readonly #audiences = new Map<Topic, Audience>();

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  connect(worker: BusListener): void {
    this.#workers.add(worker);
  }

  /** The worker hears nothing any more. */
  async disconnect(worker: BusListener): Promise<void> {
    this.#workers.delete(worker);
    await Promise.all([...this.#audiences.keys()].map((topic) => this.ignore(topic, worker)));
  }

  listen(topic: Topic, worker: BusListener): Promise<void> {
    let audience = this.#audiences.get(topic);
    if (!audience) {
      audience = { workers: new Set(), listening: this.#bus.listen(topic) };
      this.#audiences.set(topic, audience);
    }
    audience.workers.add(worker);
    return audience.listening;
  }

  async ignore(topic: Topic, worker: BusListener): Promise<void> {
    const audience = this.#audiences.get(topic);
    if (!audience?.workers.delete(worker) || audience.workers.size > 0) return;
    this.#audiences.delete(topic);
    await this.#bus.ignore(topic);
  }

  deliver(message: Message): void {
    for (const worker of this.#audiences.get(message.topic)?.workers ?? []) worker.deliver(message);
  }

  obey(command: Command): void {
    for (const worker of this.#workers) worker.obey(command);
  }

  async missed(missed: Missed): Promise<void> {
    const audience = missed.kind === 'messages' ? this.#audiences.get(missed.topic)?.workers : this.#workers;
    await Promise.all([...(audience ?? [])].map((worker) => worker.missed(missed)));
  }
}
