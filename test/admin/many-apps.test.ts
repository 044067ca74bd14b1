/** What a change of the app store costs where there are many apps. */
import { createServer, parseConfig } from '@countersign/server';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { newSecret } from '#server/admin/random';
import type { AppRecord } from '#server/admin/registry/records';
import { Registry } from '#server/admin/registry/registry';
import { Store } from '#server/store/store';
import { boundsOf } from '#server/webhooks/outbox/bounds';
import { admin, OWNER } from '../helpers/admin.ts';
import { newFolder } from '../helpers/folder.ts';

vi.setConfig({ testTimeout: 90_000 });

const log = pino({ level: 'silent' });

function recordOf(id: string): AppRecord {
  const key = { key: `key-of-${id}`, secret: newSecret(), state: 'active', scopes: null } as const;
  return {
    id,
    settings: {},
    keys: [{ ...key, expires_at: null, created_at: 0 }],
    webhooks: [],
    created_at: 0,
    updated_at: 0,
  };
}

/** A broker whose app store has so many apps. */
async function brokerWith(count: number) {
  const config = parseConfig({ port: 0, data: newFolder(), drainWindowSeconds: 0, admin: { token: OWNER } });
  const { data = '' } = config;
  const store = await Store.open({ directory: data, bounds: boundsOf(config), now: Date.now, log });
  const { repository } = store;
  const registry = await Registry.open({
    file: [],
    admin: config.admin,
    data,
    repository,
    now: Date.now,
    log,
  });
  const put = Array.from({ length: count }, (_, index) => recordOf(`app-${index}`));
  await registry.change(
    () => ({ put: put.map((record) => ({ kind: 'app', record })), entries: [], result: { status: 204 } }),
    undefined,
    () => {},
  );
  registry.close();
  await store.close();
  const broker = await createServer(config);
  onTestFinished(() => broker.close());
  return broker;
}

test('a change costs no more with many apps than with few', async () => {
  const [few, many] = [await brokerWith(20), await brokerWith(5000)];
  /** Milliseconds of CPU time that one request takes, made over and over in turn with the other broker. */
  const costs = async (method: string, path: string, bodyOf: (turn: number) => object) => {
    const least = new Map([few, many].map((broker) => [broker, Infinity]));
    for (let round = 0; round < 8; round += 1) {
      for (const [broker, before] of least) {
        const start = process.cpuUsage();
        for (let turn = 0; turn < 10; turn += 1) {
          const { status } = await admin(broker, method, path, { body: bodyOf(round * 10 + turn) });
          expect(status).toBeLessThan(300);
        }
        const { user, system } = process.cpuUsage(start);
        least.set(broker, Math.min(before, (user + system) / 10_000));
      }
    }
    return { few: least.get(few) ?? 0, many: least.get(many) ?? 0 };
  };
  const created = await costs('POST', '/apps', () => ({ keys: [{}, { client: true }] }));
  const changed = await costs('PATCH', '/apps/app-7', (turn) => ({ name: `Name ${turn}` }));
  expect(created.many).toBeLessThan(3 * created.few);
  expect(changed.many).toBeLessThan(3 * changed.few);
});
