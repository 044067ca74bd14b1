/** What a listener receives besides an event's data. */
export interface Metadata {
  /** The user who sent a client event on a presence channel. */
  readonly user_id?: string;
  /** The `traceparent` (W3C Trace Context) that the publisher of the event gave, or the broker where it is traced. */
  readonly traceparent?: string;
}

/**
 * Called with an event's data. If the type of the data is not declared, the listener may declare the type that it
 * expects (TypeScript checks a method's parameter bivariantly).
 */
export type Listener<Data> = unknown extends Data
  ? { listener(data: Data, metadata: Metadata): void }['listener']
  : (data: Data, metadata: Metadata) => void;

/** Called with the name and data of every event. */
export type GlobalListener = (event: string, data: unknown) => void;

type AnyListener = (data: unknown, metadata: Metadata) => void;

/**
 * Emits events by name; the base of the client, its connection, channels and user. `Events` maps each name to the type
 * of its data. An error that a listener throws is reported by the platform as uncaught and affects no other listener.
 *
 * @example
 * ```ts
 * const stop = client.connection.on('connected', ({ socket_id }) => console.log(socket_id));
 * stop();
 * ```
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<string, Set<AnyListener>>();
  readonly #global = new Set<GlobalListener>();

  /**
   * Calls `listener` for each event of this name. Binding the same function twice has no further effect.
   *
   * @example
   * ```ts
   * client.subscribe('news').bind('published', (data) => console.log(data)).bind('removed', console.log);
   * ```
   */
  bind<Name extends keyof Events & string>(name: Name, listener: Listener<Events[Name]>): this {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener as AnyListener));
    return this;
  }

  /**
   * Like {@link bind}, but returns a function that unbinds the listener.
   *
   * @example
   * ```ts
   * const stop = client.subscribe('news').on('published', (data) => console.log(data));
   * stop();
   * ```
   */
  on<Name extends keyof Events & string>(name: Name, listener: Listener<Events[Name]>): () => void {
    this.bind(name, listener);
    return () => {
      this.unbind(name, listener);
    };
  }

  /**
   * Unbinds one listener, all listeners of a name, or all listeners of all names.
   *
   * @example
   * ```ts
   * client.channel('news')?.unbind('published');
   * ```
   */
  unbind<Name extends keyof Events & string>(name?: Name, listener?: Listener<Events[Name]>): this {
    for (const [bound, listeners] of this.#listeners) {
      if (name !== undefined && bound !== name) continue;
      if (listener) listeners.delete(listener as AnyListener);
      else listeners.clear();
      if (listeners.size === 0) this.#listeners.delete(bound);
    }
    return this;
  }

  /**
   * The same as {@link unbind}.
   *
   * @example
   * ```ts
   * client.channel('news')?.off('published');
   * ```
   */
  off<Name extends keyof Events & string>(name?: Name, listener?: Listener<Events[Name]>): this {
    return this.unbind(name, listener);
  }

  /**
   * Calls `listener` for each event, whatever its name. Returns a function that ends this.
   *
   * @example
   * ```ts
   * const stop = client.onAny((event, data) => console.log(event, data));
   * stop();
   * ```
   */
  onAny(listener: GlobalListener): () => void {
    this.bind_global(listener);
    return () => {
      this.unbind_global(listener);
    };
  }

  /**
   * Calls `listener` for each event, whatever its name.
   *
   * @example
   * ```ts
   * client.bind_global((event, data) => console.log(event, data));
   * ```
   */
  bind_global(listener: GlobalListener): this {
    this.#global.add(listener);
    return this;
  }

  /**
   * Unbinds one global listener, or all of them.
   *
   * @example
   * ```ts
   * client.unbind_global();
   * ```
   */
  unbind_global(listener?: GlobalListener): this {
    if (listener) this.#global.delete(listener);
    else this.#global.clear();
    return this;
  }

  /**
   * Unbinds every listener, global ones included.
   *
   * @example
   * ```ts
   * client.unbind_all();
   * ```
   */
  unbind_all(): this {
    return this.unbind().unbind_global();
  }

  /** @internal Whether a listener is bound to events of this name; global listeners do not count. */
  hears(name: string): boolean {
    return this.#listeners.has(name);
  }

  /** @internal */
  emit(name: string, data?: unknown, metadata: Metadata = {}): void {
    for (const listener of [...this.#global]) guard(() => listener(name, data));
    for (const listener of [...(this.#listeners.get(name) ?? [])]) guard(() => listener(data, metadata));
  }
}

/** @internal Reports an error that a listener throws as uncaught, so that it stops neither other listeners nor the connection. */
export function guard(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
