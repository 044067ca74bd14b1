import type { HistoryEvent } from '../../history/history.ts';
import { type Frame, frames } from '../../protocol/frames.ts';

/** Frames that are remembered, so that a crowd that comes back shares them. */
const MAX_FRAMES = 1000;

/** How a subscriber gets an event of the history: with its position if it is capable, and as missed or as live. */
type Reader = 'replayed' | 'live' | 'stock';

/** The frames of one channel's history, each encoded once for all subscribers that ask for it within a short time. */
export class ReplayedFrames {
  readonly #channel: string;
  readonly #frames = new Map<string, Frame>();

  constructor(channel: string) {
    this.#channel = channel;
  }

  frame(event: HistoryEvent, reader: Reader): Frame {
    const key = `${reader} ${event.position}`;
    let frame = this.#frames.get(key);
    if (!frame) {
      frame = this.#encode(event, reader);
      if (this.#frames.size >= MAX_FRAMES) this.#frames.clear();
      this.#frames.set(key, frame);
    }
    return frame;
  }

  #encode(event: HistoryEvent, reader: Reader): Frame {
    const { name, data, userId } = event;
    return reader === 'stock'
      ? frames.event(name, this.#channel, data, userId)
      : frames.extended(this.#channel, event, reader === 'replayed');
  }
}
