import { codes, Disconnect } from '../errors.ts';

/** How many WebSockets there may be in this process. */
export interface PlacesBounds {
  readonly connections: number;
  readonly perAddress: number;
}

/** Which of the {@link PlacesBounds} was reached, and what the client is told. */
export class NoPlace extends Disconnect {
  constructor(
    readonly bound: 'connections' | 'connections_per_address',
    reason: string,
  ) {
    super(codes.overCapacity, reason);
  }
}

/** Counts the WebSockets of this process, and those of each address. */
export class ConnectionPlaces {
  readonly #bounds: PlacesBounds;
  readonly #byOwner = new Map<string, number>();
  #taken = 0;

  constructor(bounds: PlacesBounds) {
    this.#bounds = bounds;
  }

  /**
   * Takes a place.
   *
   * @param owner whose it is; `undefined` if the bound for one address does not hold for it
   * @throws NoPlace if there is none
   */
  take(owner: string | undefined): void {
    const { connections, perAddress } = this.#bounds;
    if (this.#taken >= connections) throw new NoPlace('connections', 'The server is full');
    const own = owner === undefined ? 0 : (this.#byOwner.get(owner) ?? 0);
    if (own >= perAddress) {
      throw new NoPlace('connections_per_address', `This address has its ${perAddress} connections`);
    }
    this.#taken += 1;
    if (owner !== undefined) this.#byOwner.set(owner, own + 1);
  }

  release(owner: string | undefined): void {
    this.#taken -= 1;
    if (owner === undefined) return;
    const own = this.#byOwner.get(owner) ?? 0;
    if (own > 1) this.#byOwner.set(owner, own - 1);
    else this.#byOwner.delete(owner);
  }
}
