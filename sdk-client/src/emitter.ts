/** What comes with an event beside its data. */
export interface Metadata {
  /** Who sent a client event on a presence channel. */
  readonly user_id?: string;
}

/**
 * Called with an event's data. Where the type of the data is not declared, the listener may state the type that
 * it expects (a method's parameter is checked both ways, a function's is not).
 */
export type Listener<Data> = unknown extends Data
  ? { listener(data: Data, metadata: Metadata): void }['listener']
  : (data: Data, metadata: Metadata) => void;

/** Called with every event. */
export type GlobalListener = (event: string, data: unknown) => void;

type AnyListener = (data: unknown, metadata: Metadata) => void;

/** Events by name, and who listens to them. `Events` maps each name to the type of its data. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<string, Set<AnyListener>>();
  readonly #global = new Set<GlobalListener>();

  /** Calls `listener` at each event of this name. Binding the same function twice is binding it once. */
  bind<Name extends keyof Events & string>(name: Name, listener: Listener<Events[Name]>): this {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener as AnyListener));
    return this;
  }

  /** Like {@link bind}, but returns its undo. */
  on<Name extends keyof Events & string>(name: Name, listener: Listener<Events[Name]>): () => void {
    this.bind(name, listener);
    return () => {
      this.unbind(name, listener);
    };
  }

  /** Ends what {@link bind} began: for one listener, for all of a name, or for all names. */
  unbind<Name extends keyof Events & string>(name?: Name, listener?: Listener<Events[Name]>): this {
    for (const [bound, listeners] of this.#listeners) {
      if (name !== undefined && bound !== name) continue;
      if (listener) listeners.delete(listener as AnyListener);
      else listeners.clear();
      if (listeners.size === 0) this.#listeners.delete(bound);
    }
    return this;
  }

  /** Calls `listener` at each event, whatever its name. */
  bind_global(listener: GlobalListener): this {
    this.#global.add(listener);
    return this;
  }

  /** Ends what {@link bind_global} began, for one listener or for all. */
  unbind_global(listener?: GlobalListener): this {
    if (listener) this.#global.delete(listener);
    else this.#global.clear();
    return this;
  }

  /** Ends every binding. */
  unbind_all(): this {
    return this.unbind().unbind_global();
  }

  /** @internal */
  emit(name: string, data?: unknown, metadata: Metadata = {}): void {
    for (const listener of [...this.#global]) guard(() => listener(name, data));
    for (const listener of [...(this.#listeners.get(name) ?? [])]) guard(() => listener(data, metadata));
  }
}

/** A listener that throws is the app's error and shows up as such, but harms neither its neighbours nor the connection. */
function guard(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
