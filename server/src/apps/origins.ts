/** Splits "https://*.example.com" into the start and the end of an origin. */
const WILDCARD = /^([^*]+:\/\/)\*(\.[^*]+)$/;
const SUBDOMAINS = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;

/**
 * Origins without a host: `file://` in Electron and Cordova, the scheme of an app, and `null` for pages without an
 * origin, such as sandboxed ones.
 */
const WITHOUT_HOST = /^(null|(?!https?:|wss?:)[a-z][a-z0-9+.-]*:\/\/)$/;

/**
 * Whether a text is valid in `allowedOrigins`: "*", an origin exactly as browsers send it (lower case, no path, no
 * default port), an origin whose host starts with "*.", or an origin without a host.
 */
export function isOriginPattern(value: string): boolean {
  if (value === '*' || WITHOUT_HOST.test(value)) return true;
  const sample = value.replace('://*.', '://any.');
  if (sample.includes('*') || !URL.canParse(sample)) return false;
  const { protocol, host } = new URL(sample);
  return host !== '' && sample === `${protocol}//${host}`;
}

/** The origins that may connect to one app. */
export class AllowedOrigins {
  readonly #any: boolean;
  readonly #exact: ReadonlySet<string>;
  readonly #wildcards: readonly (readonly [start: string, end: string])[];

  /** @param patterns each as {@link isOriginPattern} accepts it */
  constructor(patterns: readonly string[]) {
    this.#any = patterns.includes('*');
    this.#exact = new Set(patterns);
    this.#wildcards = patterns.flatMap((pattern) => {
      const [, start, end] = WILDCARD.exec(pattern) ?? [];
      return start && end ? [[start, end] as const] : [];
    });
  }

  allows(origin: string): boolean {
    if (this.#any) return true;
    const sent = origin.toLowerCase();
    return this.#exact.has(sent) || this.#wildcards.some(([start, end]) => matches(sent, start, end));
  }
}

function matches(origin: string, start: string, end: string): boolean {
  return (
    origin.startsWith(start) &&
    origin.endsWith(end) &&
    SUBDOMAINS.test(origin.slice(start.length, -end.length))
  );
}
