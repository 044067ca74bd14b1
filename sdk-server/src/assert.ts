import { ArgumentError } from './errors.ts';

/** @throws ArgumentError `invalid_options` unless `holds` */
export function assertOption(holds: boolean, message: string): asserts holds {
  if (!holds) throw new ArgumentError('invalid_options', message);
}

/** A misspelled option would silently do nothing, so names that are not among those of `known` are refused. */
export function assertKnown(given: object, known: object, what: string): void {
  for (const name of Object.keys(given)) {
    const names = Object.keys(known).join(', ');
    assertOption(Object.hasOwn(known, name), `Unknown ${what} "${name}"; known are ${names}`);
  }
}
