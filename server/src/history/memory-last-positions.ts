import { z } from 'zod';
import type { Notes } from './durable.ts';
import {
  type LastPosition,
  type LastPositions,
  MAX_LAST_POSITION_BYTES,
  MAX_LAST_POSITION_TOTAL_BYTES,
  MAX_LAST_POSITIONS,
  type OnLastPositionsBound,
} from './last-positions.ts';

const storedSchema = z.object({ position: z.string(), userId: z.string().optional() });

/** Bytes beside its texts that an entry counts with. */
const OVERHEAD = 150;

interface Entry extends LastPosition {
  /** When it is forgotten, by the monotonic clock. */
  readonly until: number;
  readonly bytes: number;
}

interface AppEntries {
  /** By connection and channel, oldest first. */
  readonly entries: Map<string, Entry>;
  bytes: number;
}

/** How far connections that have ended had got, in this process. */
export class MemoryLastPositions implements LastPositions {
  readonly #monotonic: () => number;
  readonly #onBound: OnLastPositionsBound | undefined;
  readonly #notes: Notes | undefined;
  readonly #apps = new Map<string, AppEntries>();
  #bytes = 0;

  /**
   * @param monotonic milliseconds of a monotonic clock
   * @param notes where they outlive the process
   */
  constructor(monotonic: () => number, onBound?: OnLastPositionsBound, notes?: Notes) {
    this.#monotonic = monotonic;
    this.#onBound = onBound;
    this.#notes = notes;
  }

  /** Takes over what was stored of an app. */
  restore(appId: string, key: string, body: string, until: number): void {
    this.#add(appId, key, storedSchema.parse(JSON.parse(body)), until);
  }

  async note(
    appId: string,
    channel: string,
    socketId: string,
    last: LastPosition,
    seconds: number,
  ): Promise<void> {
    const key = keyOf(channel, socketId);
    const until = this.#monotonic() + seconds * 1000;
    this.#notes?.set(appId, 'lastPosition', key, until, () => JSON.stringify(last));
    this.#add(appId, key, last, until);
  }

  #add(appId: string, key: string, { position, userId }: LastPosition, until: number): void {
    const app = this.#apps.get(appId) ?? { entries: new Map(), bytes: 0 };
    this.#apps.set(appId, app);
    this.#delete(app, key);
    const bytes = OVERHEAD + key.length + position.length + (userId?.length ?? 0);
    app.entries.set(key, { position, userId, until, bytes });
    this.#count(app, bytes);
    while (app.entries.size > MAX_LAST_POSITIONS || app.bytes > MAX_LAST_POSITION_BYTES)
      this.#evict(appId, app);
    while (this.#bytes > MAX_LAST_POSITION_TOTAL_BYTES) this.#evict(...this.#biggest());
  }

  async find(appId: string, channel: string, socketId: string): Promise<LastPosition | undefined> {
    const entry = this.#apps.get(appId)?.entries.get(keyOf(channel, socketId));
    if (!entry || entry.until <= this.#monotonic()) return undefined;
    const { position, userId } = entry;
    return { position, userId };
  }

  forgetApp(appId: string): void {
    this.#bytes -= this.#apps.get(appId)?.bytes ?? 0;
    this.#apps.delete(appId);
  }

  /** Forgets what is over. */
  sweep(): void {
    const now = this.#monotonic();
    for (const [appId, app] of this.#apps) {
      for (const [key, { until }] of app.entries) if (until <= now) this.#delete(app, key);
      if (app.entries.size === 0) this.#apps.delete(appId);
    }
  }

  #evict(appId: string, app: AppEntries): void {
    const [oldest = ''] = app.entries.keys();
    this.#delete(app, oldest);
    this.#notes?.delete(appId, 'lastPosition', oldest);
    this.#onBound?.(appId);
  }

  #biggest(): [string, AppEntries] {
    return [...this.#apps].reduce((biggest, other) => (other[1].bytes > biggest[1].bytes ? other : biggest));
  }

  #delete(app: AppEntries, key: string): void {
    const entry = app.entries.get(key);
    if (!entry) return;
    app.entries.delete(key);
    this.#count(app, -entry.bytes);
  }

  #count(app: AppEntries, bytes: number): void {
    app.bytes += bytes;
    this.#bytes += bytes;
  }
}

/** Unique, because socket ids hold no space. */
function keyOf(channel: string, socketId: string): string {
  return `${socketId} ${channel}`;
}
