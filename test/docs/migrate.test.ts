/** The pages of docs/migrate: what they import, and the programs on them, run against what became of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Broker, createServer, parseConfig } from '@countersign/server';
import PusherServer from 'pusher';
import { expect, onTestFinished, test } from 'vitest';
import { runCli } from '../helpers/brokers/cli.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { listen } from '../helpers/clients/event-inbox.ts';
import { join as joinChannel, openPusher, type Pusher } from '../helpers/clients/official.ts';
import { newFolder } from '../helpers/folder.ts';
import { freePort } from '../helpers/redis/redis.ts';
import { Program, readersFolder, snippetsOf } from '../helpers/snippets.ts';

const APP = { id: '1234567', key: '1a2b3c4d5e6f7a8b9c0d', secret: 'f1c1a2b3d4e5968778a9' };

/** A broker with the configuration that is imported from the file on a page, and what has no counterpart. */
async function importedFrom(kind: string, file: string): Promise<{ broker: Broker; ignored: string[] }> {
  const source = join(newFolder(), file);
  writeFileSync(source, snippetsOf(`migrate/${kind}.md`).get(file)!.replace('your-secret', APP.secret));
  const { code, stdout } = await runCli(['import', kind, source, '--json']);
  expect(code).toBe(0);
  const { config, ignored } = JSON.parse(stdout);
  const broker = await createServer(parseConfig({ ...config, host: '127.0.0.1', port: 0 }));
  onTestFinished(() => broker.close());
  return { broker, ignored: ignored.map(({ path }: { path: string }) => path) };
}

/** What a module on a page exports, for another port than the one on the page. */
async function moduleOf<Exports>(page: string, file: string, port = 6001): Promise<Exports> {
  const written = join(readersFolder(), file);
  writeFileSync(written, snippetsOf(page).get(file)!.replace('6001', String(port)));
  return import(pathToFileURL(written).href);
}

const backendOf = ({ host, port }: Broker, app = APP) =>
  new PusherServer({ ...app, appId: app.id, host, port: String(port), useTLS: false });

/** The client hears what the backend publishes. */
async function works(client: Pusher, backend: PusherServer): Promise<void> {
  const headlines = listen(await joinChannel(client, 'news'), 'headline');
  await backend.trigger('news', 'headline', { text: 'Hello' });
  expect(await headlines.next()).toEqual({ text: 'Hello' });
}

test('pusher: client and backend as they are on the page', async () => {
  const { broker, ignored } = await importedFrom('pusher', 'pusher.env');
  expect(ignored).toEqual(['PUSHER_APP_CLUSTER']);
  process.env['PUSHER_APP_SECRET'] = APP.secret;
  onTestFinished(() => void delete process.env['PUSHER_APP_SECRET']);
  const { pusher: backend } = await moduleOf<{ pusher: PusherServer }>(
    'migrate/pusher.md',
    'backend.js',
    broker.port,
  );
  const { pusher } = await moduleOf<{ pusher: Pusher }>('migrate/pusher.md', 'client.js', broker.port);
  onTestFinished(() => pusher.disconnect());
  await works(pusher, backend);
});

test('reverb: the client as it is on the page', async () => {
  const { broker, ignored } = await importedFrom('reverb', 'reverb.env');
  expect(ignored.toSorted()).toEqual([
    'REVERB_HOST',
    'REVERB_PORT',
    'REVERB_SCALING_ENABLED',
    'REVERB_SCHEME',
  ]);
  const { pusher } = await moduleOf<{ pusher: Pusher }>('migrate/reverb.md', 'client.js', broker.port);
  onTestFinished(() => pusher.disconnect());
  await works(pusher, backendOf(broker));
});

test.each([
  ['soketi', 'soketi.json', ['metrics']],
  ['sockudo', 'sockudo.json', ['app_manager.driver', 'rate_limiter']],
])('%s: the clients that there are', async (kind, file, withoutCounterpart) => {
  const { broker, ignored } = await importedFrom(kind, file);
  expect(ignored.toSorted()).toEqual(withoutCounterpart);
  await works(openPusher(broker, { key: APP.key }), backendOf(broker));
});

test('side by side: both get what is published, also when one of them is gone', async () => {
  const app = { id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] };
  const [old, next] = [await startServer({ app }), await startServer({ app })];
  const { publisherTo } = await moduleOf<{
    publisherTo(servers: readonly PusherServer[], onError: (error: unknown) => void): PusherServer['trigger'];
  }>('migrate/README.md', 'both.js');
  const errors: unknown[] = [];
  const publish = publisherTo([backendOf(old), backendOf(next)], (error) => errors.push(error));
  const heard = await Promise.all(
    [old, next].map(async (broker) =>
      listen(await joinChannel(openPusher(broker, { key: APP.key }), 'news'), 'headline'),
    ),
  );
  await publish('news', 'headline', 1);
  expect(await Promise.all(heard.map((inbox) => inbox.next()))).toEqual([1, 1]);
  await next.close();
  await publish('news', 'headline', 2);
  expect([await heard[0]!.next(), errors.length]).toEqual([2, 1]);
  await old.close();
  await expect(publish('news', 'headline', 3)).rejects.toThrow();
});

test('side by side: a share of the users moves, and each of them stays where they are', async () => {
  const { optionsFor } = await moduleOf<{
    optionsFor(user: number, share: number, sides: { before: string; after: string }): string;
  }>('migrate/README.md', 'choose.js');
  const moved = (share: number) =>
    Array.from({ length: 1000 }, (_, user) => user).filter(
      (user) => optionsFor(user, share, { before: 'old', after: 'new' }) === 'new',
    );
  expect([moved(0).length, moved(0.25).length, moved(1).length]).toEqual([0, 250, 1000]);
  expect(moved(0.5)).toEqual(expect.arrayContaining(moved(0.25)));
});

test.each(['before', 'after'])('socket-io: the programs %s the change do the same', async (when) => {
  const blocks = snippetsOf('migrate/socket-io.md');
  const broker = await startServer({ app: { id: '1', keys: [{ key: 'dev-key', secret: APP.secret }] } });
  const port = String(await freePort());
  const start = (file: string, ...args: string[]) => {
    const written = join(readersFolder(), file);
    const code = blocks.get(file)!.replace('3000', port).replace('6001', String(broker.port));
    writeFileSync(written, code);
    return new Program(process.execPath, [written, ...args], { env: { COUNTERSIGN_SECRET: APP.secret } })
      .lines;
  };
  const server = start(`server-${when}.js`);
  expect(await server.next()).toBe('listening');
  const ann = start(`client-${when}.js`, 'ann');
  expect(await ann.next()).toBe('joined');
  const bob = start(`client-${when}.js`, 'bob');
  expect(await bob.next()).toBe('joined');
  expect(await ann.next()).toBe('bob types');
  expect((await fetch(`http://127.0.0.1:${port}/say`, { method: 'POST' })).status).toBe(204);
  expect([await ann.next(), await bob.next()]).toEqual(['Hello', 'Hello']);
  expect(await start(`client-${when}.js`, 'mallory').next()).toBe('refused');
});
