import type {
  RecordedStep,
  RecordingOrder,
  RecordingState,
  RecordingTarget,
  StepDetails,
  StepKind,
} from '../adapter/recordings.ts';

/** Steps of one recording in one process, and about the bytes that they take; the oldest go first. */
export const MAX_STEPS = 5000;
const MAX_BYTES = 1024 * 1024;
/** About what a step takes beside its texts. */
const STEP_BYTES = 160;

/** What one process records of the connections of one target. */
export class Recording implements RecordingTarget {
  readonly id: string;
  readonly appId: string;
  readonly userId: string | undefined;
  readonly socketId: string | undefined;
  /** Monotonic milliseconds. */
  readonly endsAt: number;
  /** Unix milliseconds at the beginning of the monotonic clock. */
  readonly #origin: number;
  #steps: RecordedStep[] = [];
  #bytes = 0;
  #dropped = 0;

  /**
   * @param now Unix milliseconds
   * @param monotonic milliseconds of a clock that nobody sets
   */
  constructor({ id, appId, userId, socketId, leftMs }: RecordingOrder, now: number, monotonic: number) {
    this.id = id;
    this.appId = appId;
    this.userId = userId;
    this.socketId = socketId;
    this.endsAt = monotonic + leftMs;
    this.#origin = now - monotonic;
  }

  /** @param count of the steps of its connection, so that they stay in order */
  add(monotonic: number, socketId: string, count: number, kind: StepKind, details: StepDetails): void {
    const at = Math.floor(this.#origin + monotonic);
    const place = `${String(at).padStart(15, '0')}-${socketId}-${String(count).padStart(9, '0')}`;
    const step = { place, at, socketId, kind, details };
    this.#steps.push(step);
    this.#bytes += bytesOf(step);
    if (this.#steps.length > MAX_STEPS || this.#bytes > MAX_BYTES) this.#dropOldest();
  }

  state(monotonic: number): RecordingState {
    const { id, appId, userId, socketId } = this;
    const steps = this.#steps.length;
    return { id, appId, userId, socketId, leftMs: this.endsAt - monotonic, steps, dropped: this.#dropped };
  }

  after(place: string, limit: number): readonly RecordedStep[] {
    return this.#steps
      .filter((step) => step.place > place)
      .sort(byPlace)
      .slice(0, limit);
  }

  /** A tenth at a time, because the rest moves. */
  #dropOldest(): void {
    const dropped = this.#steps.slice(0, Math.ceil(this.#steps.length / 10));
    this.#steps = this.#steps.slice(dropped.length);
    for (const step of dropped) this.#bytes -= bytesOf(step);
    this.#dropped += dropped.length;
  }
}

export function byPlace(one: RecordedStep, other: RecordedStep): number {
  return one.place < other.place ? -1 : one.place > other.place ? 1 : 0;
}

function bytesOf({ place, details }: RecordedStep): number {
  let characters = place.length;
  for (const value of Object.values(details)) if (typeof value === 'string') characters += value.length;
  return STEP_BYTES + 2 * characters;
}
