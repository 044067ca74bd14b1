import type { AppKey } from '../apps/app-key.ts';
import { KEY_USES } from '../apps/key-usage.ts';
import type { Call, Endpoint } from './endpoint.ts';

/** `GET keys`: what each key may do, and when it was used last, so that nobody removes a key that is still in use. */
export const listKeys: Endpoint = {
  method: 'GET',
  path: 'keys',
  publishes: false,
  scope: 'read',
  run: (call) => ({ keys: Array.from(call.app.allKeys, (key) => describe(call, key)) }),
};

function describe({ app }: Call, { name, state, scopes, expiresAt }: AppKey): object {
  const uses = KEY_USES.map((use) => [use, seconds(app.keyUses.lastUse(name, use))] as const);
  return {
    key: name,
    state,
    scopes: scopes.texts,
    expires_at: seconds(expiresAt),
    // A file does not say when a key was made.
    created_at: null,
    last_used_at: Object.fromEntries(uses),
  };
}

function seconds(milliseconds: number | undefined): number | null {
  return milliseconds === undefined ? null : Math.floor(milliseconds / 1000);
}
