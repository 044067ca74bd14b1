import type { Counters } from '../../adapter/adapter.ts';
import type { App } from '../../apps/app.ts';
import { codes, Disconnect } from '../../errors.ts';

/** Counts connections: those of this process, those of each address, and those of each app on all nodes. */
export class ConnectionPlaces {
  readonly #bounds: PlacesBounds;
  readonly #counters: Counters;
  readonly #byOwner = new Map<string, number>();
  #taken = 0;

  constructor(bounds: PlacesBounds, counters: Counters) {
    this.#bounds = bounds;
    this.#counters = counters;
  }

  /**
   * Takes a place for a new connection.
   *
   * @param owner the key of its address; `undefined` if the address has no bound
   * @throws Disconnect if there is none
   */
  async take(app: App, owner: string | undefined): Promise<void> {
    this.#takeHere(owner);
    const { connections } = app.limits;
    // Counts connections also without a limit: a reload may set one.
    let isHeld = false;
    try {
      isHeld = await this.#counters.hold(quotaOf(app), connections ?? Infinity);
    } finally {
      if (!isHeld) this.#releaseHere(owner);
    }
    if (!isHeld) {
      throw new Disconnect(
        codes.overQuota,
        'too_many_connections',
        `The app has its limit of ${connections} connections`,
      );
    }
  }

  async release(app: App, owner: string | undefined): Promise<void> {
    this.#releaseHere(owner);
    await this.#counters.release(quotaOf(app));
  }

  #takeHere(owner: string | undefined): void {
    const { connections, perAddress } = this.#bounds;
    if (this.#taken >= connections) throw new NoPlace('connections', 'The server is full');
    const own = owner === undefined ? 0 : (this.#byOwner.get(owner) ?? 0);
    if (own >= perAddress) {
      throw new NoPlace('connections_per_address', `This address has its ${perAddress} connections`);
    }
    this.#taken += 1;
    if (owner !== undefined) this.#byOwner.set(owner, own + 1);
  }

  #releaseHere(owner: string | undefined): void {
    this.#taken -= 1;
    if (owner === undefined) return;
    const own = this.#byOwner.get(owner) ?? 0;
    if (own > 1) this.#byOwner.set(owner, own - 1);
    else this.#byOwner.delete(owner);
  }
}

/** The bounds of WebSockets in this process. */
export interface PlacesBounds {
  readonly connections: number;
  readonly perAddress: number;
}

/** One of the {@link PlacesBounds} is reached. */
export class NoPlace extends Disconnect {
  constructor(
    readonly bound: 'connections' | 'connections_per_address',
    reason: string,
  ) {
    super(codes.overCapacity, 'over_capacity', reason);
  }
}

function quotaOf(app: App): string {
  return `connections:${app.id}`;
}
