import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Bus, BusListener, Command, Message, Missed } from '../adapter/adapter.ts';
import { answerMsOf, type NodeAnswer, type Question, sumOf } from '../adapter/questions.ts';
import type { Topic } from '../adapter/topic.ts';
import { PackedEvent } from './rpc/packed-event.ts';

/** The part of the time of a node's answer that its workers have. */
const WORKERS_PART = 0.9;

/** The workers that listen to one topic. */
interface Listeners {
  readonly workers: Set<BusListener>;
  /** Resolves when messages of the topic arrive from the bus. */
  readonly listening: Promise<void>;
}

/** Listens to the topics of all workers, and passes each message to the workers that listen to its topic, once. */
export class TopicRouter implements BusListener {
  readonly #bus: Bus;
  readonly #workers = new Set<BusListener>();
  /** Workers that may have admitted connections. */
  readonly #answering = new Set<BusListener>();
  readonly #topics = new Map<Topic, Listeners>();

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  connect(worker: BusListener): void {
    this.#workers.add(worker);
  }

  /** From now on the worker is asked what all are asked. */
  awaitAnswersOf(worker: BusListener): void {
    if (this.#workers.has(worker)) this.#answering.add(worker);
  }

  /** From now on the worker receives nothing. */
  async disconnect(worker: BusListener): Promise<void> {
    this.#workers.delete(worker);
    this.#answering.delete(worker);
    await Promise.all([...this.#topics.keys()].map((topic) => this.ignore(topic, worker)));
  }

  listen(topic: Topic, worker: BusListener): Promise<void> {
    let listeners = this.#topics.get(topic);
    if (!listeners) {
      listeners = { workers: new Set(), listening: this.#bus.listen(topic) };
      this.#topics.set(topic, listeners);
    }
    listeners.workers.add(worker);
    return listeners.listening;
  }

  async ignore(topic: Topic, worker: BusListener): Promise<void> {
    const listeners = this.#topics.get(topic);
    if (!listeners?.workers.delete(worker) || listeners.workers.size > 0) return;
    this.#topics.delete(topic);
    await this.#bus.ignore(topic);
  }

  deliver(message: Message): void {
    const listeners = this.#topics.get(message.topic);
    if (!listeners) return;
    // Packed once for all.
    const passedOn = message.kind === 'event' ? PackedEvent.of(message) : message;
    for (const worker of listeners.workers) worker.deliver(passedOn);
  }

  obey(command: Command): void {
    for (const worker of this.#workers) worker.obey(command);
  }

  /** Sums the answers of the workers. One that fails or is late leaves those of the others as they are. */
  async answer(question: Question): Promise<NodeAnswer> {
    const asked = [...this.#answering];
    const ending = new AbortController();
    const tooLate = delay(answerMsOf(question) * WORKERS_PART, undefined, { signal: ending.signal }).catch(
      () => {},
    );
    const answers = await Promise.all(
      asked.map((worker) => Promise.race([worker.answer(question).catch(() => undefined), tooLate])),
    );
    ending.abort();
    // A worker that has ended holds nothing any more; its end is noticed in the same turn as that of its answer.
    if (answers.includes(undefined)) await nextTurn();
    const isPartial = asked.some((worker, at) => !answers[at] && this.#answering.has(worker));
    return { ...sumOf(answers.filter((answer) => answer !== undefined)), isPartial };
  }

  proveAgain(): void {
    for (const worker of this.#workers) worker.proveAgain();
  }

  async missed(missed: Missed): Promise<void> {
    const workers = missed.kind === 'messages' ? this.#topics.get(missed.topic)?.workers : this.#workers;
    await Promise.all([...(workers ?? [])].map((worker) => worker.missed(missed)));
  }
}
