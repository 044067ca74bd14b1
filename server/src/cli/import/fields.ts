/** Reads the settings of another server one by one, and notes what is not taken over. */
import { isObject } from './documents.ts';

/** What has no counterpart here, and why. */
export interface Ignored {
  /** Where it stands in the file that was read. */
  readonly path: string;
  readonly why: string;
}

const NOTHING_LIKE_IT = 'there is nothing like it here';

/** The fields of one object. Whatever is left in the end is reported. */
export class Fields {
  readonly #left: Map<string, unknown>;

  constructor(
    values: Readonly<Record<string, unknown>>,
    readonly path: string,
    readonly ignored: Ignored[],
  ) {
    this.#left = new Map(Object.entries(values).filter(([, value]) => value !== null));
  }

  /** @returns `undefined` if there is none */
  take(name: string): unknown {
    const value = this.#left.get(name);
    this.#left.delete(name);
    return value;
  }

  /** What nobody has taken yet. */
  get names(): readonly string[] {
    return [...this.#left.keys()];
  }

  /** Numbers count as texts: ids often are. */
  text(name: string): string | undefined {
    const value = this.take(name);
    if (value === undefined || value === '') return undefined;
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return String(value);
    return this.ignore(name, 'it is no text');
  }

  flag(name: string): boolean | undefined {
    const value = this.take(name);
    if (value === undefined || typeof value === 'boolean') return value;
    if (value === 'true' || value === 'false') return value === 'true';
    return this.ignore(name, 'it is neither true nor false');
  }

  number(name: string): number | undefined {
    const value = this.take(name);
    if (value === undefined || value === '') return undefined;
    const number = typeof value === 'string' ? Number(value) : value;
    if (typeof number === 'number' && Number.isFinite(number)) return number;
    return this.ignore(name, 'it is no number');
  }

  /** A whole number from 1. */
  count(name: string): number | undefined {
    const number = this.number(name);
    if (number === undefined || number >= 1) return number && Math.floor(number);
    return this.ignore(name, 'there is always a limit here; the default is kept');
  }

  /** The same, or null for "no limit", which is 0 or less there. */
  countOrUnlimited(name: string): number | null | undefined {
    const number = this.number(name);
    return number === undefined ? undefined : number >= 1 ? Math.floor(number) : null;
  }

  section(name: string): Fields {
    const value = this.take(name);
    if (isObject(value)) return new Fields(value, this.at(name), this.ignored);
    if (value !== undefined) this.ignore(name, 'it is no section');
    return new Fields({}, this.at(name), this.ignored);
  }

  list(name: string): readonly unknown[] {
    const value = this.take(name);
    if (Array.isArray(value)) return value;
    if (value !== undefined) this.ignore(name, 'it is no list');
    return [];
  }

  /** The objects of a list. */
  sections(name: string): readonly Fields[] {
    return this.list(name).flatMap((value, index) => {
      const path = `${this.at(name)}[${index}]`;
      if (isObject(value)) return [new Fields(value, path, this.ignored)];
      this.ignored.push({ path, why: 'it is no object' });
      return [];
    });
  }

  at(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  ignore(name: string, why: string): undefined {
    this.take(name);
    this.ignored.push({ path: this.at(name), why });
    return undefined;
  }

  /** Reports what nobody has taken. */
  ignoreRest(why: Readonly<Record<string, string>> = {}): void {
    for (const name of this.names) this.ignore(name, why[name] ?? NOTHING_LIKE_IT);
  }
}
