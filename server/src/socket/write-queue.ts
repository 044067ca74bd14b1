import { type Frame, payloadOf } from '../protocol/frames.ts';

/** A destination of frames: a connection. */
export interface Writer {
  /** The pending frames. Only the write queue changes them; they are here, not in a map, for speed. */
  pending: FrameBatch | undefined;
  /** Writes the bytes of so many whole frames to the socket; `payload` is their bytes without the headers. */
  write(bytes: Buffer, frames: number, payload: number): void;
}

/**
 * A list of pending frames, shared by all writers with the same pending frames. A further frame leads to the next
 * batch, which is shared in turn. So a delivery moves a pointer, and the bytes are joined once for all writers.
 */
export class FrameBatch {
  next: FrameBatch | undefined;
  /** The number of frames. */
  readonly frames: number;
  /** Bytes without the headers of the frames. */
  readonly payload: number;
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
    this.payload = (previous ? previous.payload : 0) + payloadOf(last);
    if (!previous) this.#bytes = last;
  }

  /** All frames in one buffer, joined on first use. */
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

/** Totals of a write queue. */
export interface FlushStatistics {
  flushes: number;
  /** Buffers written: one for each writer and flush. */
  writes: number;
  bytes: number;
  /** Buffers that had to be joined from several frames. */
  joined: number;
  /** Milliseconds spent writing. */
  milliseconds: number;
}

export interface WriteQueueOptions {
  /**
   * The longest pause after a flush. A long flush is followed by a pause of the same length, in which frames gather
   * and the rest of the process runs. 0: no pause.
   */
  readonly gapMaxMs: number;
  /** Writers in one turn of the event loop. */
  readonly sliceSize?: number;
  /** Monotonic milliseconds. @default performance.now */
  readonly now?: () => number;
}

/** Shorter flushes are not followed by a pause. */
const SMALL_FLUSH_MS = 1;

/**
 * Collects the frames of one turn of the event loop, and writes them with one call for each writer. Small flushes
 * happen at the end of the turn; large ones are paced, and cut into slices.
 */
export class WriteQueue {
  readonly statistics: FlushStatistics = { flushes: 0, writes: 0, bytes: 0, joined: 0, milliseconds: 0 };
  /** Called after each flush, with its milliseconds and the number of writers. */
  onFlush: ((milliseconds: number, writers: number) => void) | undefined;
  readonly #options: WriteQueueOptions;
  readonly #sliceSize: number;
  readonly #now: () => number;
  /** The batch of a writer whose first pending frame is the last pushed one. */
  #first: FrameBatch | undefined;
  #dirty: Writer[] = [];
  /** The writers of the flush in progress, and the number of them that are done. */
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

  push(writer: Writer, frame: Frame): void {
    const { pending } = writer;
    if (pending) {
      if (pending.next?.last !== frame) pending.next = new FrameBatch(pending, frame);
      writer.pending = pending.next;
      return;
    }
    if (this.#first?.last !== frame) this.#first = new FrameBatch(undefined, frame);
    writer.pending = this.#first;
    this.#dirty.push(writer);
    if (!this.#scheduled) this.#schedule();
  }

  /** Writes the pending frames of one writer now. */
  flushOne(writer: Writer): void {
    const { pending } = writer;
    if (!pending) return;
    writer.pending = undefined;
    const bytes = pending.bytes(this.statistics);
    this.statistics.writes += 1;
    this.statistics.bytes += bytes.length;
    writer.write(bytes, pending.frames, pending.payload);
  }

  /** Discards the pending frames of one writer. */
  drop(writer: Writer): void {
    writer.pending = undefined;
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
    this.onFlush?.(this.#flushMs, this.#flushing.length);
    this.#flushing = [];
    const gap = this.#flushMs < SMALL_FLUSH_MS ? 0 : Math.min(this.#flushMs, this.#options.gapMaxMs);
    this.#notBefore = now + gap;
    this.#scheduled = false;
    if (this.#dirty.length > 0) this.#schedule();
  }
}
