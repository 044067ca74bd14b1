import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Adapter } from '../../adapter/adapter.ts';
import type { App } from '../../apps/app.ts';
import { backoffMs } from '../../async/backoff.ts';
import { ApiError, InDoubt, Unavailable } from '../../errors.ts';
import type { KeyedRequest } from '../../idempotency/records.ts';
import type { EventRequest } from '../requests/requests.ts';

/** Milliseconds to wait for the answer of another request. Its process may have ended; then this request makes the answer. */
const MAX_WAIT_MS = 2000;
const WAITS = { firstMs: 20, mostMs: 250 };
/** Characters of a hash, 6 bits each. */
const HASH_LENGTH = 24;

/** What an event has that is published under an idempotency key; `undefined` if it has no key. */
export function keyedRequest(event: EventRequest): KeyedRequest | undefined {
  const { idempotencyKey, channels, name, data, except, info } = event;
  if (idempotencyKey === undefined) return undefined;
  const names = channels.map((channel) => channel.name);
  return {
    id: hashOf(idempotencyKey),
    fingerprint: hashOf(JSON.stringify([names, name, data, except ?? null, info])),
    channels: names,
    hasAnswer: info.length > 0,
  };
}

/** The requests of a batch, each once. @throws ApiError 422 if two of them have the same key */
export function distinct(requests: Iterable<KeyedRequest | undefined>): readonly KeyedRequest[] {
  const byId = new Map<string, KeyedRequest>();
  for (const request of requests) {
    if (!request) continue;
    const { id, fingerprint } = request;
    if ((byId.get(id)?.fingerprint ?? fingerprint) !== fingerprint) throw mismatch();
    byId.set(id, request);
  }
  return [...byId.values()];
}

/**
 * Begins requests of an app, and waits for those that others work on.
 *
 * @param requests each with another id
 * @returns the answers that are known, by id
 * @throws ApiError 422 if a key was used for another request
 * @throws Unavailable if nothing was begun
 */
export async function begin(
  { idempotency }: Adapter,
  app: App,
  requests: readonly KeyedRequest[],
): Promise<ReadonlyMap<string, string>> {
  const answers = new Map<string, string>();
  const deadline = performance.now() + MAX_WAIT_MS;
  let waiting = requests;
  for (let tries = 1; ; tries += 1) {
    const progress = await idempotency.begin(app.id, waiting, app.idempotencySeconds).catch(notBegun);
    if (progress === 'mismatch') throw mismatch();
    waiting = waiting.filter(({ id }, index) => {
      const known = progress[index];
      if (typeof known === 'object') answers.set(id, known.answer);
      return known === 'running';
    });
    if (waiting.length === 0 || performance.now() >= deadline) return answers;
    await sleep(backoffMs(tries, Math.random(), WAITS));
  }
}

function mismatch(): ApiError {
  return new ApiError(
    422,
    'idempotency_mismatch',
    'Another event was published under this "idempotency_key": use a new one for each event',
  );
}

/** Without its record nothing is published, so there is no doubt. */
function notBegun(error: unknown): never {
  throw error instanceof InDoubt ? new Unavailable(error.message, { cause: error }) : error;
}

function hashOf(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, HASH_LENGTH);
}
