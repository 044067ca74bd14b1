import type { RecordedStep, RecordingOrder, RecordingState, RecordingTarget } from '../adapter/recordings.ts';
import { Recording } from './recording.ts';
import { Tap } from './tap.ts';

/** A connection that may be recorded. */
export interface Recordable {
  readonly socketId: string;
  readonly app: { readonly id: string };
  /** `undefined`: nothing records it. */
  tap: Tap | undefined;
}

/** Recordings of one app, and of all apps of a process. */
export const MAX_RECORDINGS = 5;
const MAX_IN_PROCESS = 50;
/** Milliseconds for which a recording can be read after its end. */
const READABLE_MS = 3_600_000;

/** Records, for a while, every step of the protocol on the connections of a user or socket id of this process. */
export class FlightRecorder {
  readonly #now: () => number;
  readonly #monotonic: () => number;
  readonly #recordings = new Map<string, Recording>();
  readonly #timers = new Map<Recording, NodeJS.Timeout>();
  /** What each recording that goes on concerns. */
  readonly #tapped = new Map<Recording, Set<Recordable>>();

  /**
   * @param now Unix milliseconds
   * @param monotonic milliseconds of a clock that nobody sets
   */
  constructor(now: () => number, monotonic: () => number) {
    this.#now = now;
    this.#monotonic = monotonic;
  }

  /** Whether anything is recorded. Asked where finding out more would cost something. */
  get isOn(): boolean {
    return this.#tapped.size > 0;
  }

  /**
   * Begins a recording, unless it has begun, is over, or its app or the process has too many.
   *
   * @param concerned the connections that its target has now
   */
  begin(order: RecordingOrder, concerned: (target: RecordingTarget) => Iterable<Recordable>): void {
    if (order.leftMs <= 0 || this.#recordings.has(order.id) || !this.#hasRoom(order.appId)) return;
    const recording = new Recording(order, this.#now(), this.#monotonic());
    this.#recordings.set(recording.id, recording);
    this.#tapped.set(recording, new Set());
    this.#timers.set(recording, setTimeout(() => this.#end(recording), order.leftMs).unref());
    for (const connection of concerned(recording)) this.#record(recording, connection);
  }

  /** A connection is now known to be a user's. */
  identified(connection: Recordable, userId: string | undefined): void {
    if (!this.isOn || userId === undefined) return;
    for (const recording of this.#tapped.keys()) {
      if (recording.userId === userId && recording.appId === connection.app.id)
        this.#record(recording, connection);
    }
  }

  /** A connection has ended. */
  ended(connection: Recordable): void {
    connection.tap = undefined;
    for (const connections of this.#tapped.values()) connections.delete(connection);
  }

  states(appId: string, id: string | undefined): readonly RecordingState[] {
    const now = this.#monotonic();
    const all = [...this.#recordings.values()].filter((each) => each.appId === appId);
    return all.filter((each) => id === undefined || each.id === id).map((each) => each.state(now));
  }

  steps(appId: string, id: string, after: string, limit: number): readonly RecordedStep[] {
    const recording = this.#recordings.get(id);
    return recording?.appId === appId ? recording.after(after, limit) : [];
  }

  forget(appId: string, id: string): void {
    const recording = this.#recordings.get(id);
    if (recording?.appId !== appId) return;
    this.#stop(recording);
    clearTimeout(this.#timers.get(recording));
    this.#timers.delete(recording);
    this.#recordings.delete(id);
  }

  /** Forgets the recordings of apps that are gone. */
  forgetApps(appIds: ReadonlySet<string>): void {
    for (const { appId, id } of [...this.#recordings.values()]) if (appIds.has(appId)) this.forget(appId, id);
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #hasRoom(appId: string): boolean {
    const ofApp = [...this.#recordings.values()].filter((each) => each.appId === appId);
    return ofApp.length < MAX_RECORDINGS && this.#recordings.size < MAX_IN_PROCESS;
  }

  #record(recording: Recording, connection: Recordable): void {
    connection.tap ??= new Tap(connection.socketId, this.#monotonic);
    if (!connection.tap.add(recording)) return;
    this.#tapped.get(recording)?.add(connection);
    connection.tap.note('recording', {});
  }

  #end(recording: Recording): void {
    this.#stop(recording);
    const forget = () => this.forget(recording.appId, recording.id);
    this.#timers.set(recording, setTimeout(forget, READABLE_MS).unref());
  }

  #stop(recording: Recording): void {
    for (const connection of this.#tapped.get(recording) ?? []) {
      connection.tap?.remove(recording);
      if (connection.tap?.isIdle) connection.tap = undefined;
    }
    this.#tapped.delete(recording);
  }
}
