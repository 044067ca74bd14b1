/** CORS for the routes of clients: which pages of other origins may ask, with their cookies. */
import type { RequestHandler } from 'express';
import { assertOption } from '../assert.ts';

/** Seconds for which browsers keep the answer to a preflight. */
const PREFLIGHT_SECONDS = 600;

/** @throws ArgumentError `invalid_options` */
export function checkOrigins(origins: unknown): void {
  if (origins === undefined) return;
  assertOption(
    Array.isArray(origins) && origins.length > 0,
    "origins must be a list such as ['https://app.example.com']",
  );
  for (const origin of origins)
    assertOption(
      isOrigin(origin),
      `origins: ${JSON.stringify(origin)} is not an origin such as "https://app.example.com", without path and wildcard`,
    );
}

/** Lets pages of these origins read the answers, and answers their preflights. */
export function crossOrigin(origins: readonly string[]): RequestHandler {
  const allowed = new Set(origins);
  return (req, res, next) => {
    // Caches must not give one origin the answer for another.
    res.vary('Origin');
    const origin = req.get('Origin');
    if (origin === undefined || !allowed.has(origin)) return next();
    res.set({
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Allow-Credentials': 'true',
      'Access-Control-Expose-Headers': 'Retry-After',
    });
    if (req.method !== 'OPTIONS') return next();
    const headers = req.get('Access-Control-Request-Headers');
    res
      .set({
        'Access-Control-Allow-Methods': 'POST',
        ...(headers !== undefined && { 'Access-Control-Allow-Headers': headers }),
        'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
      })
      .vary('Access-Control-Request-Headers')
      .status(204)
      .end();
  };
}

function isOrigin(text: unknown): boolean {
  if (typeof text !== 'string') return false;
  try {
    return /^https?:/.test(text) && new URL(text).origin === text;
  } catch {
    return false;
  }
}
