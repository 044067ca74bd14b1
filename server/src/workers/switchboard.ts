import type { BusListener, Command, Message, Topic } from '../adapter/adapter.ts';

/** Passes messages on to the workers that listen to their topics, to each once. */
export class Switchboard implements BusListener {
  readonly #workers = new Set<BusListener>();
  readonly #topics = new Map<Topic, Set<BusListener>>();

  connect(worker: BusListener): void {
    this.#workers.add(worker);
  }

  /** The worker hears nothing any more. */
  disconnect(worker: BusListener): void {
    this.#workers.delete(worker);
    for (const topic of this.#topics.keys()) this.ignore(topic, worker);
  }

  listen(topic: Topic, worker: BusListener): void {
    const listeners = this.#topics.get(topic);
    if (listeners) listeners.add(worker);
    else this.#topics.set(topic, new Set([worker]));
  }

  ignore(topic: Topic, worker: BusListener): void {
    const listeners = this.#topics.get(topic);
    if (listeners?.delete(worker) && listeners.size === 0) this.#topics.delete(topic);
  }

  deliver(message: Message): void {
    for (const worker of this.#topics.get(message.topic) ?? []) worker.deliver(message);
  }

  obey(command: Command): void {
    for (const worker of this.#workers) worker.obey(command);
  }
}
