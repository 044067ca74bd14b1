import { lastUsesOf } from '../../adapter/key-uses.ts';
import type { AppKey } from '../../apps/keys/app-key.ts';
import { KEY_USES, type LastUses } from '../../apps/keys/key-usage.ts';
import type { Endpoint } from '../endpoint.ts';
import { keysAnswer } from './answer-schemas.ts';

/** `GET keys`: what each key may do, and when it was used last, so that nobody removes a key that is still in use. */
export const listKeys: Endpoint = {
  method: 'GET',
  path: 'keys',
  publishes: false,
  scope: 'read',
  answer: keysAnswer,
  async run({ app, adapter }) {
    const { keyUses, pending } = await lastUsesOf(adapter, app.id);
    const uses = new Map(Object.entries(keyUses));
    return {
      keys: Array.from(app.allKeys, (key) => describe(key, uses.get(key.name) ?? {})),
      ...(pending.length > 0 && { pending }),
    };
  },
};

function describe({ name, state, scopes, expiresAt, createdAt }: AppKey, uses: LastUses): object {
  return {
    key: name,
    state,
    scopes: scopes.texts,
    expires_at: expiresAt === undefined ? null : Math.floor(expiresAt / 1000),
    created_at: createdAt ?? null,
    last_used_at: Object.fromEntries(KEY_USES.map((use) => [use, uses[use] ?? null])),
  };
}
