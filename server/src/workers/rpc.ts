import type { Duplex } from 'node:stream';
import { deserialize, serialize } from 'node:v8';
import { InDoubt, Unavailable } from '../errors.ts';
import { framePacket, PacketReader } from './framing.ts';

/** Milliseconds that an answer may take. */
const TIMEOUT_MS = 10_000;
/** Milliseconds between two looks for answers that have not come in time. */
const SWEEP_MS = 500;
/** Questions that may wait for their answers. */
const MAX_ASKED = 100_000;
/** Bytes that may wait for the other end; one that does not read is given up. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

type Method = (...args: never[]) => unknown;
/** What the far end can be asked for by name. */
type NameOf<Far> = { [Name in keyof Far]: Far[Name] extends Method ? Name : never }[keyof Far] & string;
type ArgumentsOf<Far, Name extends keyof Far> = Far[Name] extends (...args: infer Args) => unknown
  ? Args
  : never;
type AnswerOf<Far, Name extends keyof Far> = Far[Name] extends (...args: never[]) => infer Answer
  ? Awaited<Answer>
  : never;

/** What one end says to the other. A call without an id wants no answer. */
type Packet =
  | { readonly call: string; readonly args: readonly unknown[]; readonly id?: number }
  | { readonly answer: number; readonly value: unknown }
  | { readonly refusal: number; readonly error: Fault };

/** An error, as far as the other end needs it. */
interface Fault {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly syscall?: unknown;
}

interface Asked {
  resolve(value: unknown): void;
  reject(error: Error): void;
  /** As `performance.now()` counts. */
  readonly deadline: number;
  readonly late: ((value: unknown) => void) | undefined;
}

/** How to wait for an answer. */
export interface Wait<Answer> {
  /** Milliseconds that it may take. @default 10_000 */
  readonly timeoutMs?: number;
  /** Is given an answer that came too late. */
  readonly late?: (answer: Answer) => void;
}

/**
 * One end of what connects two processes. Each end has an object whose methods the other one calls by their names;
 * calls arrive in the order in which they were made. What is said in one turn of the event loop crosses in one write.
 */
export class Rpc<Far extends object> {
  /** Resolves when the other end is gone, and everything that it has said is heard. */
  readonly ended: Promise<void>;
  readonly #stream: Duplex;
  readonly #near: object;
  readonly #onFault: (error: unknown, call: string) => void;
  readonly #asked = new Map<number, Asked>();
  readonly #sweep: NodeJS.Timeout;
  #lastId = 0;
  #gathered: Packet[] = [];
  /** Called when nothing waits for an answer. */
  #settled: (() => void) | undefined;

  /**
   * @param near whose methods the other end calls
   * @param onFault is told when a method fails and nobody waits for its answer
   */
  constructor(stream: Duplex, near: object, onFault: (error: unknown, call: string) => void) {
    this.#stream = stream;
    this.#near = near;
    this.#onFault = onFault;
    this.#sweep = setInterval(() => this.#rejectLate(), SWEEP_MS).unref();
    this.ended = new Promise((resolve) => {
      stream.on('close', () => {
        this.#end();
        resolve();
      });
    });
    const reader = new PacketReader();
    stream.on('data', (chunk: Buffer) => {
      for (const bytes of reader.read(chunk)) {
        for (const packet of deserialize(bytes) as Packet[]) this.#receive(packet);
      }
    });
    // That the other end was killed is told by the close that follows.
    stream.on('error', () => {});
  }

  /**
   * Calls a method of the other end.
   *
   * @throws Unavailable if it could not be asked
   * @throws InDoubt if there is no answer: in time, or at all
   * @throws Error what the method threw
   */
  call<Name extends NameOf<Far>>(
    name: Name,
    args: ArgumentsOf<Far, Name>,
    { timeoutMs = TIMEOUT_MS, late }: Wait<AnswerOf<Far, Name>> = {},
  ): Promise<AnswerOf<Far, Name>> {
    if (this.#stream.destroyed) return Promise.reject(new Unavailable('The other process has ended'));
    if (this.#asked.size >= MAX_ASKED)
      return Promise.reject(new Unavailable('The other process is asked too much'));
    this.#lastId += 1;
    const id = this.#lastId;
    this.#say({ call: name, args, id });
    return new Promise((resolve, reject) => {
      this.#asked.set(id, {
        // What a method answers is told by its name alone: both ends are of the same build.
        resolve: resolve as (value: unknown) => void,
        reject,
        deadline: performance.now() + timeoutMs,
        late: late as ((value: unknown) => void) | undefined,
      });
    });
  }

  /** Calls a method of the other end, and does not wait. */
  notify<Name extends NameOf<Far>>(name: Name, args: ArgumentsOf<Far, Name>): void {
    this.#say({ call: name, args });
  }

  /** Resolves when every question has its answer. */
  async settle(): Promise<void> {
    while (this.#asked.size > 0) {
      await new Promise<void>((resolve) => {
        this.#settled = resolve;
      });
    }
  }

  /** Ends it once all that was said has been written. */
  end(): void {
    this.#flush();
    this.#stream.end();
  }

  /** Ends it at once. */
  destroy(): void {
    this.#stream.destroy();
  }

  #say(packet: Packet): void {
    if (this.#gathered.length === 0) setImmediate(() => this.#flush());
    this.#gathered.push(packet);
  }

  #flush(): void {
    const packets = this.#gathered;
    this.#gathered = [];
    if (packets.length === 0 || !this.#stream.writable) return;
    this.#stream.write(framePacket(serialize(packets)));
    if (this.#stream.writableLength > MAX_WAITING_BYTES) this.#stream.destroy();
  }

  #receive(packet: Packet): void {
    if ('call' in packet) return void this.#serve(packet);
    const id = 'answer' in packet ? packet.answer : packet.refusal;
    const asked = this.#asked.get(id);
    if (!asked) return;
    this.#forget(id);
    if ('refusal' in packet) asked.reject(errorOf(packet.error));
    else if (asked.deadline === 0) asked.late?.(packet.value);
    else asked.resolve(packet.value);
  }

  async #serve({ call, args, id }: Extract<Packet, { call: string }>): Promise<void> {
    try {
      const method: Method = Reflect.get(this.#near, call);
      const value: unknown = await Reflect.apply(method, this.#near, args);
      if (id !== undefined) this.#say({ answer: id, value });
    } catch (error) {
      if (id === undefined) this.#onFault(error, call);
      else this.#say({ refusal: id, error: faultOf(error) });
    }
  }

  #forget(id: number): void {
    this.#asked.delete(id);
    if (this.#asked.size === 0) this.#settled?.();
  }

  #rejectLate(): void {
    const now = performance.now();
    for (const [id, asked] of this.#asked) {
      if (asked.deadline > now || asked.deadline === 0) continue;
      asked.reject(new InDoubt('The other process does not answer'));
      if (asked.late) this.#asked.set(id, { ...asked, deadline: 0 });
      else this.#forget(id);
    }
  }

  #end(): void {
    clearInterval(this.#sweep);
    for (const [id, asked] of this.#asked) {
      this.#forget(id);
      asked.reject(new InDoubt('The other process has ended'));
    }
  }
}

function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, code, syscall } = error as Error & Fault;
  return { name, message, ...(code !== undefined && { code }), ...(syscall !== undefined && { syscall }) };
}

function errorOf({ name, message, ...rest }: Fault): Error {
  if (name === InDoubt.name) return new InDoubt(message);
  return name === Unavailable.name ? new Unavailable(message) : Object.assign(new Error(message), rest);
}
