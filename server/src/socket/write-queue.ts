import { type Frame, payloadOf } from '../protocol/frames.ts';
import type { Flushable, FlushStatistics, FlushTurns } from './flush-turns.ts';

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

/** Writers between two looks at the clock. */
const WRITERS_AT_ONCE = 50;

/**
 * Collects the frames of one turn of the event loop, and writes them with one call for each writer. Small flushes
 * happen at the end of the turn; large ones are paced, and cut into slices. Each app has one of its own, so that it waits
 * for no other.
 */
export class WriteQueue implements Flushable {
  readonly #turns: FlushTurns;
  /** The batch of a writer whose first pending frame is the last pushed one. */
  #first: FrameBatch | undefined;
  #dirty: Writer[] = [];
  /** The writers of the flush in progress, and the number of them that are done. */
  #flushing: Writer[] = [];
  #done = 0;
  #flushMs = 0;
  #scheduled = false;
  #notBefore = 0;

  constructor(turns: FlushTurns) {
    this.#turns = turns;
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
    const { statistics } = this.#turns;
    const bytes = pending.bytes(statistics);
    statistics.writes += 1;
    statistics.bytes += bytes.length;
    writer.write(bytes, pending.frames, pending.payload);
  }

  /** Discards the pending frames of one writer. */
  drop(writer: Writer): void {
    writer.pending = undefined;
  }

  writeSlice(most: number, until: number): ReturnType<Flushable['writeSlice']> {
    if (this.#flushing.length === 0) {
      this.#flushing = this.#dirty;
      this.#dirty = [];
      this.#first = undefined;
      this.#done = 0;
      this.#flushMs = 0;
    }
    const begin = this.#done;
    const start = this.#turns.now();
    const end = Math.min(begin + most, this.#flushing.length);
    let now = start;
    while (this.#done < end && now < until) {
      const look = Math.min(this.#done + WRITERS_AT_ONCE, end);
      for (; this.#done < look; this.#done += 1) this.flushOne(this.#flushing[this.#done]!);
      now = this.#turns.now();
    }
    this.#flushMs += now - start;
    const done = this.#done - begin;
    const isOver = this.#done === this.#flushing.length;
    if (isOver) this.#finish(now);
    return { done, isOver };
  }

  #schedule(): void {
    this.#scheduled = true;
    this.#turns.ask(this, this.#notBefore - this.#turns.now());
  }

  #finish(now: number): void {
    this.#notBefore = now + this.#turns.finished(this.#flushMs, this.#flushing.length);
    this.#flushing = [];
    this.#scheduled = false;
    if (this.#dirty.length > 0) this.#schedule();
  }
}
