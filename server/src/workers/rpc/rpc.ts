import type { Duplex } from 'node:stream';
import { deserialize, serialize } from 'node:v8';
import { PendingCalls } from '../../async/pending-calls.ts';
import { Unavailable } from '../../errors.ts';
import type { AnswerOf, ArgumentsOf, MethodOf } from './capability.ts';
import { errorOf, type Fault, faultOf } from './fault.ts';
import { framePackets, type Packet, PacketReader } from './framing.ts';

/** Milliseconds that an answer may take. */
const TIMEOUT_MS = 10_000;
/** Bytes that may wait for the other end; the connection to an end that does not read is closed. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** What one end sends to the other, beside events. A call without an id wants no answer. */
type Message =
  | { readonly on: string; readonly call: string; readonly args: readonly unknown[]; readonly id?: number }
  | { readonly answer: number; readonly value: unknown }
  /** How many events that want a receipt have been received so far. */
  | { readonly received: number }
  | { readonly refusal: number; readonly error: Fault };
type Call = Extract<Message, { call: string }>;

/** How to wait for an answer. */
export interface CallOptions<Answer> {
  /** Milliseconds that it may take. @default 10_000 */
  readonly timeoutMs?: number;
  /** Receives an answer that comes after the time-out. */
  readonly onLateAnswer?: (answer: Answer) => void;
}

/** Logs an error of a method whose caller does not wait for an answer. */
type OnFault = (error: unknown, call: string) => void;

/**
 * One end of a connection between two processes. Each end exposes capabilities, which are objects whose methods the
 * other end calls by name. Beside calls, an end sends events, which are bytes that stay as they are. Calls and events
 * arrive in the order in which they were made. All of one turn of the event loop go out in one write.
 *
 * @typeParam Far the capabilities of the other end, by name
 */
export class Rpc<Far extends object> {
  /** Resolves when the other end is gone and all its packets are handled. */
  readonly ended: Promise<void>;
  readonly #stream: Duplex;
  readonly #exposed: ReadonlyMap<string, object>;
  readonly #onFault: OnFault;
  readonly #pending = new PendingCalls();
  #gathered: (Message | Packet)[] = [];
  #isScheduled = false;
  /** The calls of {@link callEvent} that wait, oldest first, and how many receipts there were. */
  #unreceived: number[] = [];
  #receipts = 0;
  /** Events of the other end that want a receipt, and those of them that have one. */
  #received = 0;
  #acknowledged = 0;

  /**
   * @param exposed the capabilities that the other end may call, by name
   * @param onEvent receives the events of the other end
   */
  constructor(
    stream: Duplex,
    exposed: object,
    onFault: OnFault,
    onEvent: (bytes: Buffer) => void = () => {},
  ) {
    this.#stream = stream;
    this.#exposed = new Map(Object.entries(exposed));
    this.#onFault = onFault;
    this.ended = new Promise((resolve) => {
      stream.on('close', () => {
        this.#pending.close();
        resolve();
      });
    });
    const reader = new PacketReader();
    stream.on('data', (chunk: Buffer) => {
      for (const { kind, bytes } of reader.read(chunk)) {
        if (kind === 'calls') for (const message of deserialize(bytes) as Message[]) this.#receive(message);
        else this.#receiveEvent(kind, bytes, onEvent);
      }
    });
    // A killed process at the other end shows in the close event that follows.
    stream.on('error', () => {});
  }

  /**
   * Calls a method of the other end.
   *
   * @throws Unavailable if the call could not be made
   * @throws InDoubt if there is no answer in time, or the other end is gone
   * @throws Error what the method threw
   */
  async call<On extends keyof Far & string, Name extends MethodOf<Far[On]>>(
    on: On,
    name: Name,
    args: ArgumentsOf<Far[On], Name>,
    { timeoutMs = TIMEOUT_MS, onLateAnswer }: CallOptions<AnswerOf<Far[On], Name>> = {},
  ): Promise<AnswerOf<Far[On], Name>> {
    if (this.#stream.destroyed) throw new Unavailable('The other process has ended');
    // Both ends are of the same build, so the name of a method decides the type of its answer.
    const { id, answer } = this.#pending.add(timeoutMs, onLateAnswer as (value: unknown) => void);
    this.#send({ on, call: name, args, id });
    return answer as Promise<AnswerOf<Far[On], Name>>;
  }

  /** Calls a method of the other end, and does not wait. */
  notify<On extends keyof Far & string, Name extends MethodOf<Far[On]>>(
    on: On,
    name: Name,
    args: ArgumentsOf<Far[On], Name>,
  ): void {
    this.#send({ on, call: name, args });
  }

  /** Sends bytes that the other end receives as an event. */
  sendEvent(bytes: Buffer): void {
    this.#send({ kind: 'event', bytes });
  }

  /**
   * Sends an event, and waits until the other end has received it. All that are received in one turn have one receipt.
   *
   * @throws Unavailable if it could not be sent
   * @throws InDoubt if there is no receipt in time, or the other end is gone
   */
  async callEvent(bytes: Buffer): Promise<undefined> {
    if (this.#stream.destroyed) throw new Unavailable('The other process has ended');
    const { id, answer } = this.#pending.add(TIMEOUT_MS);
    this.#unreceived.push(id);
    this.#send({ kind: 'awaitedEvent', bytes });
    return answer as Promise<undefined>;
  }

  /** Resolves when no call waits for an answer. */
  idle(): Promise<void> {
    return this.#pending.idle();
  }

  /** Ends the connection once all packets are written. */
  end(): void {
    this.#flush();
    this.#stream.end();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#stream.destroy();
  }

  #send(message: Message | Packet): void {
    this.#gathered.push(message);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isScheduled = false;
    const gathered = this.#gathered;
    this.#gathered = [];
    if (this.#acknowledged < this.#received) {
      this.#acknowledged = this.#received;
      gathered.push({ received: this.#received });
    }
    if (gathered.length === 0 || !this.#stream.writable) return;
    this.#stream.write(framePackets(packetsOf(gathered)));
    if (this.#stream.writableLength > MAX_WAITING_BYTES) this.#stream.destroy();
  }

  #receiveEvent(kind: Packet['kind'], bytes: Buffer, onEvent: (bytes: Buffer) => void): void {
    try {
      onEvent(bytes);
    } catch (error) {
      this.#onFault(error, 'event');
    }
    if (kind !== 'awaitedEvent') return;
    this.#received += 1;
    this.#schedule();
  }

  /** The other end has received so many events that want a receipt. */
  #receiveReceipt(count: number): void {
    for (const id of this.#unreceived.splice(0, count - this.#receipts)) this.#pending.resolve(id, undefined);
    this.#receipts = count;
  }

  #receive(message: Message): void {
    if ('call' in message) void this.#serve(message);
    else if ('answer' in message) this.#pending.resolve(message.answer, message.value);
    else if ('received' in message) this.#receiveReceipt(message.received);
    else this.#pending.reject(message.refusal, errorOf(message.error));
  }

  async #serve({ on, call, args, id }: Call): Promise<void> {
    try {
      const value: unknown = await this.#run(on, call, args);
      if (id !== undefined) this.#send({ answer: id, value });
    } catch (error) {
      if (id === undefined) this.#onFault(error, `${on}.${call}`);
      else this.#send({ refusal: id, error: faultOf(error) });
    }
  }

  #run(on: string, call: string, args: readonly unknown[]): unknown {
    const capability = this.#exposed.get(on);
    const method: unknown = capability && !(call in Object.prototype) && Reflect.get(capability, call);
    if (typeof method !== 'function') throw new Error(`No method "${on}.${call}" is exposed`);
    return Reflect.apply(method, capability, args);
  }
}

/** Messages between two events are serialized together. */
function packetsOf(gathered: readonly (Message | Packet)[]): readonly Packet[] {
  const packets: Packet[] = [];
  let messages: Message[] = [];
  const endMessages = () => {
    if (messages.length > 0) packets.push({ kind: 'calls', bytes: serialize(messages) });
    messages = [];
  };
  for (const each of gathered) {
    if ('kind' in each) {
      endMessages();
      packets.push(each);
    } else messages.push(each);
  }
  endMessages();
  return packets;
}
