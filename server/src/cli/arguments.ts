/** Arguments of several commands: settings, times. */
import { UsageError } from './usage-error.ts';

/**
 * Reads `limits.connections=500 name=Shop` as an object. A value is JSON if it can be, and else a text.
 *
 * @throws UsageError
 */
export function readSettings(texts: readonly string[]): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const text of texts) {
    const [, path = '', value = ''] =
      /^([A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*)=(.*)$/s.exec(text) ?? [];
    if (path === '') {
      throw new UsageError(
        `Expected SETTING=VALUE such as limits.connections=500, got "${text.slice(0, 100)}"`,
      );
    }
    const names = path.split('.');
    let at = settings;
    for (const name of names.slice(0, -1)) {
      const inner = Object.hasOwn(at, name) ? at[name] : {};
      if (typeof inner !== 'object' || inner === null) throw new UsageError(`${path} stands twice`);
      at[name] = inner;
      at = inner as Record<string, unknown>;
    }
    at[names.at(-1)!] = parseValue(value);
  }
  return settings;
}

/** @returns Unix seconds @throws UsageError */
export function readTime(option: string, text: string): number {
  const at = Date.parse(text);
  if (Number.isNaN(at)) {
    throw new UsageError(
      `${option}: got "${text.slice(0, 100)}", expected a time such as 2027-01-31T12:00:00Z`,
    );
  }
  return Math.floor(at / 1000);
}

/** @returns a whole number from 1 @throws UsageError */
export function readCount(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`${option}: got "${text.slice(0, 100)}", expected a whole number from 1`);
}

/** Unix seconds as people read them. */
export function showTime(seconds: number | null, none = 'never'): string {
  return seconds === null ? none : new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
