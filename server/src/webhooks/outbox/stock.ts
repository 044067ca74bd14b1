/** How much may be kept. */
export interface StockBounds {
  /** Items of one owner. */
  readonly maxCount: number;
  /** Bytes of all owners of one app. */
  readonly maxBytes: number;
  /** Bytes of all apps. */
  readonly maxTotalBytes: number;
}

interface Amount {
  count: number;
  bytes: number;
}

/**
 * Running totals of what is kept, by owner and by app, which tell whose oldest item is dropped when a bound is
 * reached. An owner is an app, or a part of one, whose name begins with the app's id and a colon.
 */
export class Stock<Owner extends string> {
  readonly #bounds: StockBounds;
  readonly #apps = new Map<string, { bytes: number; readonly owners: Map<Owner, Amount> }>();
  #bytes = 0;
  /** What was added since {@link begin}; `undefined` outside of a transaction. */
  #changes: (readonly [owner: Owner, count: number, bytes: number])[] | undefined;

  constructor(bounds: StockBounds) {
    this.#bounds = bounds;
  }

  countOf(owner: Owner): number {
    return this.#apps.get(appOf(owner))?.owners.get(owner)?.count ?? 0;
  }

  bytesOf(appId: string): number {
    return this.#apps.get(appId)?.bytes ?? 0;
  }

  /** Owners that have an item. */
  owners(): Owner[] {
    return [...this.#apps.values()].flatMap(({ owners }) => [...owners.keys()]);
  }

  /** Adds items, or removes them if both numbers are negative. */
  add(owner: Owner, count: number, bytes: number): void {
    this.#changes?.push([owner, count, bytes]);
    this.#add(owner, count, bytes);
  }

  /**
   * The owner whose oldest item must be dropped after an owner has got more: the owner itself if it has too many, the
   * biggest owner of the app if the app has too much, and the biggest owner of the biggest app if the broker has.
   * `undefined` if everything is within bounds.
   */
  excess(owner: Owner): Owner | undefined {
    const { maxCount, maxBytes, maxTotalBytes } = this.#bounds;
    if (this.countOf(owner) > maxCount) return owner;
    const app = this.#apps.get(appOf(owner));
    if (app && app.bytes > maxBytes) return biggest(app.owners);
    if (!(this.#bytes > maxTotalBytes)) return undefined;
    const biggestApp = this.#apps.get(biggest(this.#apps) ?? '');
    return biggestApp && biggest(biggestApp.owners);
  }

  /** Starts a transaction, which {@link rollback} undoes. */
  begin(): void {
    this.#changes = [];
  }

  commit(): void {
    this.#changes = undefined;
  }

  /** Undoes what was added since {@link begin}. */
  rollback(): void {
    for (const [owner, count, bytes] of this.#changes ?? []) this.#add(owner, -count, -bytes);
    this.#changes = undefined;
  }

  #add(owner: Owner, count: number, bytes: number): void {
    const appId = appOf(owner);
    let app = this.#apps.get(appId);
    if (!app) {
      app = { bytes: 0, owners: new Map() };
      this.#apps.set(appId, app);
    }
    const amount = app.owners.get(owner) ?? { count: 0, bytes: 0 };
    amount.count += count;
    amount.bytes += bytes;
    app.bytes += bytes;
    this.#bytes += bytes;
    if (amount.count !== 0 || amount.bytes !== 0) app.owners.set(owner, amount);
    else app.owners.delete(owner);
    if (app.owners.size === 0) this.#apps.delete(appId);
  }
}

/** The id of the app: ids of apps contain no colon. */
function appOf(owner: string): string {
  const end = owner.indexOf(':');
  return end < 0 ? owner : owner.slice(0, end);
}

function biggest<Name>(amounts: ReadonlyMap<Name, { readonly bytes: number }>): Name | undefined {
  let found: Name | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const [name, { bytes }] of amounts) {
    if (bytes <= most) continue;
    found = name;
    most = bytes;
  }
  return found;
}
