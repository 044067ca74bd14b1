import { ArgumentError } from './errors.ts';

/** @throws ArgumentError `invalid_options` unless `holds` */
export function assertOption(holds: boolean, message: string): asserts holds {
  if (!holds) throw new ArgumentError('invalid_options', message);
}

/** Refuses names that `known` does not have: a misspelled option would silently do nothing. */
export function assertKnown(given: object, known: object, what: string): void {
  for (const name of Object.keys(given)) {
    const names = Object.keys(known).join(', ');
    assertOption(Object.hasOwn(known, name), `Unknown ${what} "${name}"; known are ${names}`);
  }
}
