import type { Duplex } from 'node:stream';
import { deserialize, serialize } from 'node:v8';
import { PendingCalls } from '../async/pending-calls.ts';
import { InDoubt, Unavailable } from '../errors.ts';
import { framePacket, PacketReader } from './framing.ts';

/** Milliseconds that an answer may take. */
const TIMEOUT_MS = 10_000;
/** Bytes that may wait for the other end; the connection to an end that does not read is closed. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

type Method = (...args: never[]) => unknown;
/** The names of the methods of a capability. */
type MethodOf<Capability> = {
  [Name in keyof Capability]: Capability[Name] extends Method ? Name : never;
}[keyof Capability] &
  string;
type ArgumentsOf<Capability, Name extends keyof Capability> = Capability[Name] extends (
  ...args: infer Args
) => unknown
  ? Args
  : never;
type AnswerOf<Capability, Name extends keyof Capability> = Capability[Name] extends (
  ...args: never[]
) => infer Answer
  ? Awaited<Answer>
  : never;

/** A capability of another process: each of its methods answers with a promise. */
export type Remote<Capability> = {
  readonly [Name in MethodOf<Capability>]: (
    ...args: ArgumentsOf<Capability, Name>
  ) => Promise<AnswerOf<Capability, Name>>;
};

/** What one end sends to the other. A call without an id wants no answer. */
type Packet =
  | { readonly on: string; readonly call: string; readonly args: readonly unknown[]; readonly id?: number }
  | { readonly answer: number; readonly value: unknown }
  | { readonly refusal: number; readonly error: Fault };
type Call = Extract<Packet, { call: string }>;

/** An error, as far as the other end needs it. */
interface Fault {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly syscall?: unknown;
}

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
 * other end calls by name. Calls arrive in the order in which they were made. All packets of one turn of the event
 * loop go out in one write.
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
  #gathered: Packet[] = [];

  /** @param exposed the capabilities that the other end may call, by name */
  constructor(stream: Duplex, exposed: object, onFault: OnFault) {
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
      for (const bytes of reader.read(chunk)) {
        for (const packet of deserialize(bytes) as Packet[]) this.#receive(packet);
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

  #send(packet: Packet): void {
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
    if ('call' in packet) void this.#serve(packet);
    else if ('answer' in packet) this.#pending.resolve(packet.answer, packet.value);
    else this.#pending.reject(packet.refusal, errorOf(packet.error));
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

/** A capability of the other end, as if it were in this process. */
export function remote<Far extends object, On extends keyof Far & string>(
  rpc: Rpc<Far>,
  on: On,
): Remote<Far[On]> {
  type Name = MethodOf<Far[On]>;
  const methods = new Map<Name, (...args: ArgumentsOf<Far[On], Name>) => unknown>();
  return new Proxy({} as Remote<Far[On]>, {
    get(_, property) {
      // A promise that resolves with this object asks for `then`, which no capability has.
      if (typeof property === 'symbol' || property === 'then') return undefined;
      const name = property as Name;
      let method = methods.get(name);
      if (!method) {
        method = (...args) => rpc.call(on, name, args);
        methods.set(name, method);
      }
      return method;
    },
  });
}

/** A capability of which some methods are replaced. */
export function override<Capability extends object>(
  capability: Capability,
  replacements: Partial<Capability>,
): Capability {
  const methods = new Map<PropertyKey, unknown>(Object.entries(replacements));
  return new Proxy(capability, {
    get(target, name) {
      if (!methods.has(name)) {
        const member: unknown = Reflect.get(target, name, target);
        methods.set(name, typeof member === 'function' ? member.bind(target) : member);
      }
      return methods.get(name);
    },
  });
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
