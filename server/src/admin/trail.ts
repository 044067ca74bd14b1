import type { AppRepository, KeptEntry } from '../apps/app-repository.ts';
import type { AdministrationType, AuditEvent } from '../audit/record.ts';

/** What an entry of the audit of administration says, beside its id. */
export interface TrailEntry {
  /** Unix seconds. */
  readonly at: number;
  readonly type: AdministrationType;
  /** The name of the token. */
  readonly actor: string;
  readonly app?: string;
  readonly target?: string;
  readonly changes?: readonly FieldChange[];
  readonly address: string;
  readonly request_id: string;
}

export interface FieldChange {
  readonly path: string;
  readonly from: unknown;
  readonly to: unknown;
}

export interface TrailFilter {
  readonly app?: string | undefined;
  readonly type?: string | undefined;
  readonly actor?: string | undefined;
  /** Unix seconds, inclusive. */
  readonly from?: number | undefined;
  /** Unix seconds, exclusive. */
  readonly to?: number | undefined;
  /** The apps that the reader may see; all if left out. */
  readonly apps?: readonly string[] | undefined;
}

/** Entries that are read at a time. */
const BATCH = 500;

/** Who changed what over the admin API. */
export class Trail {
  readonly #repository: AppRepository;

  constructor(repository: AppRepository) {
    this.#repository = repository;
  }

  /** Entries with a lower number than `before`, newest first, and whether there are more. */
  async read(
    filter: TrailFilter,
    before: number,
    limit: number,
  ): Promise<{
    readonly entries: readonly (TrailEntry & { readonly id: string })[];
    readonly next?: number;
  }> {
    const found: (TrailEntry & { readonly id: string })[] = [];
    let below = before;
    for (;;) {
      const batch = await this.#repository.entries(below, BATCH);
      for (const kept of batch) {
        const entry = read(kept);
        if (!matches(entry, filter)) continue;
        const last = found.at(-1);
        if (found.length === limit && last) return { entries: found, next: Number(last.id) };
        found.push(entry);
      }
      const oldest = batch.at(-1);
      if (batch.length < BATCH || !oldest) return { entries: found };
      below = oldest.n;
    }
  }
}

function read({ n, entry }: KeptEntry): TrailEntry & { readonly id: string } {
  const said: TrailEntry = JSON.parse(entry);
  return { id: String(n), ...said };
}

function matches(entry: TrailEntry, { app, type, actor, from, to, apps }: TrailFilter): boolean {
  if (app !== undefined && entry.app !== app) return false;
  if (type !== undefined && entry.type !== type) return false;
  if (actor !== undefined && entry.actor !== actor) return false;
  if (from !== undefined && entry.at < from) return false;
  if (to !== undefined && entry.at >= to) return false;
  return apps === undefined || (entry.app !== undefined && apps.includes(entry.app));
}

/** An entry, as the audit log of the broker has it: with the paths of what was changed, not the values. */
export function auditEventOf({ type, app = '', target, changes, actor, address }: TrailEntry): AuditEvent {
  const isKey = type.startsWith('key.');
  const paths = changes?.map(({ path }) => path).join(', ');
  const reason = [isKey ? undefined : target, paths].filter(Boolean).join(': ') || undefined;
  return { type, app, key: isKey ? target : undefined, address, actor, reason };
}

/** What differs between two views of one thing: each value at its path. */
export function changesBetween(before: object, after: object): FieldChange[] {
  const old = flat(before);
  const current = flat(after);
  return [...new Set([...old.keys(), ...current.keys()])]
    .filter((path) => JSON.stringify(old.get(path)) !== JSON.stringify(current.get(path)))
    .map((path) => ({ path, from: old.get(path) ?? null, to: current.get(path) ?? null }));
}

function flat(value: object, at = ''): Map<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [name, inner] of Object.entries(value)) {
    const path = at === '' ? name : `${at}.${name}`;
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) values.set(path, inner);
    else for (const [deeper, each] of flat(inner, path)) values.set(deeper, each);
  }
  return values;
}
