import { ApiError } from '../errors.ts';

/** A name, in lower case as it is signed, and its value. */
export type Parameter = readonly [name: string, value: string];

/** The parameters of a request, by one way to decode them. */
export class Query {
  constructor(readonly parameters: readonly Parameter[]) {}

  /** @throws ApiError if there are two parameters of this name: it is unknown which one was meant */
  get(name: string): string | undefined {
    let found: string | undefined;
    for (const [parameter, value] of this.parameters) {
      if (parameter !== name) continue;
      if (found !== undefined)
        throw new ApiError(400, 'invalid_query', `The query holds "${name}" twice: send it once`);
      found = value;
    }
    return found;
  }
}

/**
 * Reads a raw query. Libraries encode differently, so there may be several readings: decoded, decoded with `+` as a
 * space, and not decoded. The signature shows which one was meant.
 *
 * @throws ApiError if the encoding is broken, or a decoded parameter could be taken for two
 */
export function readQuery(rawQuery: string): readonly [Query, ...Query[]] {
  const raw = splitQuery(rawQuery);
  const isEncoded = rawQuery.includes('%');
  const readings: [Query, ...Query[]] = [new Query(isEncoded ? raw.map(decodeParameter) : raw)];
  if (rawQuery.includes('+')) readings.push(new Query(raw.map(spacesFromPlus).map(decodeParameter)));
  if (isEncoded) readings.push(new Query(raw));
  return readings;
}

function splitQuery(rawQuery: string): Parameter[] {
  const parameters: Parameter[] = [];
  for (const part of rawQuery.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    parameters.push([name.toLowerCase(), equals < 0 ? '' : part.slice(equals + 1)]);
  }
  return parameters;
}

function spacesFromPlus([name, value]: Parameter): Parameter {
  return [name.replaceAll('+', ' '), value.replaceAll('+', ' ')];
}

function decodeParameter([rawName, rawValue]: Parameter): Parameter {
  const name = decode(rawName).toLowerCase();
  const value = decode(rawValue);
  // The signed text joins decoded parameters without escaping, so separators inside them would make it ambiguous.
  if (/[=&\r\n\0]/.test(name) || /[&\r\n\0]/.test(value)) {
    throw new ApiError(
      400,
      'invalid_query',
      'The query holds an encoded separator (& or = in a name; & or a line break in a value)',
    );
  }
  return [name, value];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ApiError(
      400,
      'invalid_query',
      `The query is not properly percent-encoded UTF-8 at "${text.slice(0, 64)}"`,
    );
  }
}
