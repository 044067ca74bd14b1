/** Bounds of the events that an app keeps. */
export interface KeptBounds {
  readonly events: number;
  readonly bytes: number;
}

export interface KeptEventsOptions {
  readonly boundsOf: (appId: string) => KeptBounds;
  /** Bytes of all apps together. */
  readonly bytes: number;
  /** Called with the app whose event was forgotten before it expired. */
  readonly onEvicted?: (appId: string) => void;
}

interface Kept {
  /** Bytes by channel, in the order in which they were last published to. */
  readonly channels: Map<string, number>;
  bytes: number;
}

/**
 * Counts the events that cache channels keep. Beyond the bounds of an app, its oldest event is forgotten; beyond the bound
 * of all apps, the oldest event of the app that keeps the most, so that no app loses events through another one.
 */
export class KeptEvents {
  readonly #options: KeptEventsOptions;
  readonly #apps = new Map<string, Kept>();
  #bytes = 0;

  constructor(options: KeptEventsOptions) {
    this.#options = options;
  }

  /** Counts the event of a channel in place of its previous one; answers the channels whose events must be forgotten. */
  add(appId: string, channel: string, bytes: number): (readonly [appId: string, channel: string])[] {
    this.delete(appId, channel);
    const kept = this.#apps.get(appId) ?? { channels: new Map(), bytes: 0 };
    this.#apps.set(appId, kept);
    kept.channels.set(channel, bytes);
    kept.bytes += bytes;
    this.#bytes += bytes;
    const bounds = this.#options.boundsOf(appId);
    const evicted: (readonly [string, string])[] = [];
    while (kept.channels.size > bounds.events || kept.bytes > bounds.bytes) this.#evict(appId, evicted);
    while (this.#bytes > this.#options.bytes) this.#evict(this.#biggest(), evicted);
    return evicted;
  }

  delete(appId: string, channel: string): void {
    const kept = this.#apps.get(appId);
    const bytes = kept?.channels.get(channel);
    if (!kept || bytes === undefined) return;
    kept.channels.delete(channel);
    kept.bytes -= bytes;
    this.#bytes -= bytes;
    if (kept.channels.size === 0) this.#apps.delete(appId);
  }

  #evict(appId: string, evicted: (readonly [string, string])[]): void {
    const [channel = ''] = this.#apps.get(appId)?.channels.keys() ?? [];
    this.delete(appId, channel);
    evicted.push([appId, channel]);
    this.#options.onEvicted?.(appId);
  }

  #biggest(): string {
    let [biggest, most] = ['', -1];
    for (const [appId, { bytes }] of this.#apps) if (bytes > most) [biggest, most] = [appId, bytes];
    return biggest;
  }
}
