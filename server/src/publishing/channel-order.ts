/** Keeps the order of steps that have a channel in common; all others run side by side. */
export class ChannelOrder {
  /** The end of the last step of each channel that has one. */
  readonly #last = new Map<string, Promise<void>>();

  /** Runs a step once the earlier ones of its channels have ended, with or without success. */
  run<T>(channels: readonly string[], step: () => Promise<T>): Promise<T> {
    const earlier = new Set(channels.flatMap((channel) => this.#last.get(channel) ?? []));
    const running = earlier.size === 0 ? step() : Promise.all(earlier).then(step);
    const forget = (): void => {
      for (const channel of channels) if (this.#last.get(channel) === done) this.#last.delete(channel);
    };
    const done = running.then(forget, forget);
    for (const channel of channels) this.#last.set(channel, done);
    return running;
  }
}
