import type { Frame } from '../protocol/frames.ts';

/** Something that frames are written to: a connection. */
export interface Writer {
  /** What waits for this sink; only the outbox changes it. */
  pending: FrameBatch | undefined;
  /** Writes the bytes of so many whole frames to the socket. */
  write(bytes: Buffer, frames: number): void;
}

/**
 * A list of frames that wait, shared by all sinks that wait for the same ones: a frame more leads to the next
 * batch, which all of them find. So a delivery is a pointer, and the bytes are joined once for all.
 */
export class FrameBatch {
  next: FrameBatch | undefined;
  /** How many frames it holds. */
  readonly frames: number;
  readonly #previous: FrameBatch | undefined;
  readonly #size: number;
  #bytes: Buffer | undefined;

  constructor(
    previous: FrameBatch | undefined,
    readonly last: Frame,
  ) {
    this.#previous = previous;
    this.#size = (previous ? previous.#size : 0) + last.length;
    this.frames = (previous ? previous.frames : 0) + 1;
    if (!previous) this.#bytes = last;
  }

  /** All frames in one buffer, made when it is first asked for; `joined` counts how often that is. */
  bytes(statistics: FlushStatistics): Buffer {
    if (this.#bytes) return this.#bytes;
    const bytes = Buffer.allocUnsafe(this.#size);
    let end = this.#size;
    for (let batch: FrameBatch | undefined = this; batch; batch = batch.#previous) {
      end -= batch.last.length;
      bytes.set(batch.last, end);
    }
    statistics.joined += 1;
    this.#bytes = bytes;
    return bytes;
  }
}

/** What the outbox did since it was made. */
export interface FlushStatistics {
  flushes: number;
  /** Buffers written: one a sink and flush. */
  writes: number;
  bytes: number;
  /** Buffers that had to be joined from several frames. */
  joined: number;
  /** Milliseconds spent writing. */
  milliseconds: number;
}

export interface WriteQueueOptions {
  /**
   * A flush that took a while is followed by a pause as long as itself, but of at most this many milliseconds, in
   * which frames gather and the rest of the process gets its turn. 0: no pause.
   */
  readonly gapMaxMs: number;
  /** Sinks written to before everything else gets its turn. */
  readonly sliceSize?: number;
  /** Is told about each flush, in milliseconds and sinks written to. */
  readonly onFlush?: (milliseconds: number, sinks: number) => void;
  /** The clock that flushes are measured with, in milliseconds. @default performance.now */
  readonly now?: () => number;
}

/** Shorter flushes than this are followed by no pause. */
const SMALL_FLUSH_MS = 1;

/**
 * Gathers what is sent during one turn of the event loop, and writes it with one call for each sink. Small
 * flushes happen at the end of the turn; big ones are cut into slices, and paced.
 */
export class WriteQueue {
  readonly statistics: FlushStatistics = { flushes: 0, writes: 0, bytes: 0, joined: 0, milliseconds: 0 };
  readonly #options: WriteQueueOptions;
  readonly #sliceSize: number;
  readonly #now: () => number;
  /** Where sinks that wait for nothing yet begin. */
  #first: FrameBatch | undefined;
  #dirty: Writer[] = [];
  /** The sinks of the flush under way, and how many of them are done. */
  #flushing: Writer[] = [];
  #done = 0;
  #flushMs = 0;
  #scheduled = false;
  #notBefore = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
    this.#sliceSize = options.sliceSize ?? 1000;
    this.#now = options.now ?? (() => performance.now());
  }

  push(sink: Writer, frame: Frame): void {
    const { pending } = sink;
    if (pending) {
      if (pending.next?.last !== frame) pending.next = new FrameBatch(pending, frame);
      sink.pending = pending.next;
      return;
    }
    if (this.#first?.last !== frame) this.#first = new FrameBatch(undefined, frame);
    sink.pending = this.#first;
    this.#dirty.push(sink);
    if (!this.#scheduled) this.#schedule();
  }

  /** Writes what waits for one sink now. */
  flushOne(sink: Writer): void {
    const { pending } = sink;
    if (!pending) return;
    sink.pending = undefined;
    const bytes = pending.bytes(this.statistics);
    this.statistics.writes += 1;
    this.statistics.bytes += bytes.length;
    sink.write(bytes, pending.frames);
  }

  /** Forgets what waits for one sink. */
  drop(sink: Writer): void {
    sink.pending = undefined;
  }

  /** Ends all timers. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#scheduled = true;
    const wait = this.#notBefore - this.#now();
    if (wait >= SMALL_FLUSH_MS) this.#timer = setTimeout(this.#flush, wait);
    else setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#flushing = this.#dirty;
    this.#dirty = [];
    this.#first = undefined;
    this.#done = 0;
    this.#flushMs = 0;
    this.#writeSlice();
  };

  readonly #writeSlice = (): void => {
    const start = this.#now();
    const end = Math.min(this.#done + this.#sliceSize, this.#flushing.length);
    for (; this.#done < end; this.#done += 1) this.flushOne(this.#flushing[this.#done]!);
    const now = this.#now();
    this.#flushMs += now - start;
    if (end < this.#flushing.length) setImmediate(this.#writeSlice);
    else this.#finish(now);
  };

  #finish(now: number): void {
    const { statistics } = this;
    statistics.flushes += 1;
    statistics.milliseconds += this.#flushMs;
    this.#options.onFlush?.(this.#flushMs, this.#flushing.length);
    this.#flushing = [];
    const gap = this.#flushMs < SMALL_FLUSH_MS ? 0 : Math.min(this.#flushMs, this.#options.gapMaxMs);
    this.#notBefore = now + gap;
    this.#scheduled = false;
    if (this.#dirty.length > 0) this.#schedule();
  }
}
