/** The app store of a broker that is started as a command: its key, its conflicts with the file, and its workers. */
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { admin, OWNER } from '../helpers/admin.ts';
import { runCli, startCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { read } from '../helpers/clients/grants.ts';
import { newFolder } from '../helpers/folder.ts';
import { runningTime } from '../helpers/running-time.ts';

/** Several processes start one after the other. */
vi.setConfig({ testTimeout: 90_000 });

const ENV = { COUNTERSIGN_ADMIN_TOKEN: OWNER };

async function startNode(config: object, env: Readonly<Record<string, string>> = ENV) {
  const cli = startCli(['start', '--config', await fileWith({ port: 0, drainWindowSeconds: 0, ...config })], {
    env,
  });
  const { port } = await cli.logged('listening');
  return { cli, url: `http://127.0.0.1:${port}` };
}

test('the master key is made in the data directory, for its owner only, and no other one opens the store', async () => {
  const data = newFolder();
  const node = await startNode({ data });
  expect((await admin(node, 'POST', '/apps', { body: { id: 'shop' } })).status).toBe(201);
  expect(statSync(join(data, 'master.key')).mode & 0o777).toBe(0o600);
  node.cli.signal('SIGTERM');
  expect((await node.cli.result()).code).toBe(0);

  const file = await fileWith({ port: 0, data });
  const env = { ...ENV, COUNTERSIGN_ADMIN__MASTER_KEY: randomBytes(32).toString('base64') };
  const wrong = await runCli(['start', '--config', file], { env });
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain('admin.masterKey');
  expect(wrong.stderr).not.toContain(env.COUNTERSIGN_ADMIN__MASTER_KEY);

  const again = await startNode({ data });
  expect((await admin(again, 'GET', '/apps/shop')).status).toBe(200);
});

test('a file with an app of the store is refused: at the start with exit 2, at a reload with a line in the log', async () => {
  const data = newFolder();
  const node = await startNode({ data });
  const { body: made } = await admin(node, 'POST', '/apps', { body: { id: 'shop' } });
  node.cli.signal('SIGTERM');
  await node.cli.result();
  const apps = [
    { id: 'shop', keys: [{ key: 'any', secret: 'a secret of a test' }] },
    { id: 'other', keys: [{ key: made.keys[0].key, secret: 'a secret of a test' }] },
  ];
  const refused = await runCli(['start', '--config', await fileWith({ port: 0, data, apps })], { env: ENV });
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('apps[0].id');
  expect(refused.stderr).toContain('apps[1].keys[0].key');
});

test('a broker without apps starts if it has an admin token', async () => {
  const node = await startNode({ data: newFolder() });
  expect((await admin(node, 'GET', '/apps')).body).toEqual({ apps: [] });
});

test('drain ends the node as SIGTERM does', async () => {
  const node = await startNode({ data: newFolder() });
  const { body } = await admin(node, 'GET', '/nodes');
  const drained = await admin(node, 'POST', `/nodes/${body.nodes[0].id}/drain`);
  expect(drained).toMatchObject({ status: 202, body: { state: 'draining' } });
  expect((await node.cli.result()).code).toBe(0);
});

test('all workers have a change when it is answered, which takes less than a second', async () => {
  const group = await startWorkers({ config: { data: newFolder() }, env: ENV });
  const waits: number[] = [];
  const ids: string[] = [];
  for (let change = 0; change < 100; change += 1) {
    const before = runningTime();
    const { body: app } = await admin(group, 'POST', '/apps', { body: {} });
    waits.push(runningTime() - before);
    ids.push(app.id);
    await connect(group, { id: app.id, key: app.keys[0].key, secret: '' });
  }
  waits.sort((a, b) => a - b);
  expect(waits[98]).toBeLessThan(1000);
  expect((await admin(group, 'GET', '/apps?limit=1000')).body.apps).toHaveLength(101);
  expect((await admin(group, 'GET', `/apps/${ids[0]}/stats`)).body.connections).toBe(1);
  const live = (await admin(group, 'GET', `/stats?apps=${ids.join()}`)).body.apps;
  expect(live.map(({ connections }: { connections: number }) => connections)).toEqual(ids.map(() => 1));
  expect((await admin(group, 'GET', '/nodes')).body.nodes).toMatchObject([{ connections: 100 }]);
});

test('a key that is revoked ends on every worker what it granted', async () => {
  const group = await startWorkers({ config: { data: newFolder() }, env: ENV });
  const { body: app } = await admin(group, 'POST', '/apps', { body: { keys: [{}, { client: true }] } });
  const [{ key, secret }, page] = app.keys;
  const clients = new Map<number, TestClient>();
  while (clients.size < 2) {
    const client = await connect(group, { id: app.id, key: page.key, secret: '' });
    clients.set(await group.workerOf(client.socketId), client);
  }
  for (const client of clients.values()) {
    client.credentials = { id: app.id, key, secret };
    await client.join('private-a');
  }
  await admin(group, 'PATCH', `/apps/${app.id}/keys/${key}`, { body: { state: 'revoked' } });
  for (const client of clients.values()) {
    expect(read(await client.next())).toMatchObject({
      event: 'pusher:subscription_error',
      data: { code: 'key_revoked' },
    });
  }
});

test('a worker that is replaced has the apps of the store, and a reload of the file keeps them', async () => {
  const group = await startWorkers({ config: { data: newFolder() }, env: ENV });
  const { body: app } = await admin(group, 'POST', '/apps', { body: {} });
  const credentials = { id: app.id, key: app.keys[0].key, secret: '' };
  await group.killWorker(1);
  const stays = await connect(group, credentials);
  group.configure({ app: { name: 'Renamed' } });
  group.cli.signal('SIGHUP');
  await group.cli.logged('apps reloaded');
  await connect(group, credentials);
  expect(await stays.nothing()).toEqual([]);
});
