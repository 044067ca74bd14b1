import { describe, expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { runCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { startReceiver, status } from '../helpers/brokers/receiver.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';

async function start(hook: object = {}, config: Readonly<Record<string, unknown>> = {}) {
  const receiver = await startReceiver();
  const webhooks = [{ id: 'backend', url: receiver.url(), events: ['channel_occupied'], ...hook }];
  const broker = await startServer({ app: { webhooks }, config });
  const get = async (path: string, query: Record<string, string> = {}) =>
    (await request(broker, 'GET', path, { query })).body;
  const post = async (path: string, body?: object) =>
    (await request(broker, 'POST', path, { ...(body && { body }) })).body;
  return { broker, receiver, get, post };
}

describe.each([
  ['in memory', () => ({})],
  ['on disk', () => ({ data: newFolder() })],
])('webhooks %s', (_where, config) => {
  test('are listed with their state', async () => {
    const { get } = await start(
      { channelPrefix: 'a', headers: { Authorization: 'Bearer secret' } },
      config(),
    );
    expect(await get('/webhooks')).toEqual({
      webhooks: [
        {
          id: 'backend',
          url: expect.stringContaining('/hook'),
          events: ['channel_occupied'],
          channel_prefix: 'a',
          state: 'active',
          deliveries: { pending: 0, failing: 0, dead: 0 },
        },
      ],
    });
  });

  test('wait while they are paused, can be looked at, and go on', async () => {
    const { broker, receiver, get, post } = await start({}, config());
    expect(await post('/webhooks/backend/pause')).toEqual({ state: 'paused' });
    const ann = await connect(broker);
    for (const channel of ['a', 'b', 'c']) await ann.join(channel);
    const pending = () => get('/webhooks');
    await expect.poll(pending).toMatchObject({ webhooks: [{ deliveries: { pending: 3 } }] });
    type Page = { deliveries: { id: string; events: { channel: string }[] }[]; cursor?: string };
    const one = (await get('/webhooks/backend/deliveries', { limit: '2' })) as Page;
    expect(one).toMatchObject({
      deliveries: [
        {
          id: expect.stringMatching(/^msg_/),
          state: 'pending',
          lane: 'a',
          events: [{ name: 'channel_occupied', channel: 'a', seq: '1' }],
          tries: 0,
          attempts: [],
        },
        { lane: 'b' },
      ],
      cursor: expect.any(String),
    });
    const two = (await get('/webhooks/backend/deliveries', { limit: '2', cursor: one.cursor! })) as Page;
    expect(two).toMatchObject({ deliveries: [{ lane: 'c' }] });
    expect(two).not.toHaveProperty('cursor');
    expect(await post('/webhooks/backend/skip', { deliveries: [one.deliveries[1]!.id] })).toEqual({
      skipped: 1,
    });
    expect(receiver.posted).toEqual([]);
    expect(await post('/webhooks/backend/resume')).toEqual({ state: 'active' });
    const told = [await receiver.nextEvent(), await receiver.nextEvent()];
    expect(told.map(({ channel }) => channel)).toEqual(['a', 'c']);
  });

  test('that failed show why, and are sent again when asked for', async () => {
    const { broker, receiver, get, post } = await start({}, { ...config(), webhookRetrySeconds: 0 });
    receiver.reply = status(500, {}, 'no');
    await (await connect(broker)).join('a');
    const dead = () => get('/webhooks/backend/deliveries', { state: 'dead' });
    await expect.poll(dead).toMatchObject({
      deliveries: [{ state: 'dead', attempts: [{ at: expect.any(Number), status: 500, answer: 'no' }] }],
    });
    receiver.reply = status(200);
    await receiver.next();
    expect(await post('/webhooks/backend/retry', { state: 'dead' })).toEqual({ retried: 1 });
    expect(await receiver.nextEvent()).toMatchObject({ channel: 'a', seq: 1 });
    await expect.poll(dead).toEqual({ deliveries: [] });
  });

  test('can be tried out', async () => {
    const { receiver, post } = await start({}, config());
    const { event } = (await post('/webhooks/backend/test')) as { event: string };
    expect(await receiver.nextEvent()).toMatchObject({ name: 'test', id: event, seq: 1 });
  });

  test('can be compared with what happened', async () => {
    const { broker, get } = await start({}, config());
    const ann = await connect(broker);
    for (const channel of ['a', 'b', 'c']) await ann.join(channel);
    await ann.nothing();
    const page = () => get('/webhook_events', { after_seq: '1', limit: '1' });
    await expect.poll(page).toMatchObject({ last_seq: 3, events: [{ channel: 'b', seq: '2' }] });
    expect(await get('/webhook_events')).toMatchObject({
      events: [{ seq: '1' }, { seq: '2' }, { seq: '3' }],
    });
  });
});

describe('a request that is wrong', () => {
  test.each<
    [method: 'GET' | 'POST', path: string, query: Record<string, string>, body: unknown, error: RegExp]
  >([
    ['GET', '/webhooks/nobody/deliveries', {}, undefined, /no webhook "nobody"/],
    ['POST', '/webhooks/nobody/test', {}, undefined, /no webhook "nobody"/],
    ['GET', '/webhooks/backend/deliveries', { state: 'lost' }, undefined, /expected pending, failing, dead/],
    ['GET', '/webhooks/backend/deliveries', { limit: '0' }, undefined, /expected 1 to 1000/],
    ['GET', '/webhooks/backend/deliveries', { cursor: 'x' }, undefined, /expected a whole number/],
    ['GET', '/webhook_events', { after_seq: '-1' }, undefined, /"after_seq" is "-1"/],
    ['POST', '/webhooks/backend/retry', {}, {}, /Give "deliveries" .* or "state"/],
    ['POST', '/webhooks/backend/skip', {}, { state: 'dead', deliveries: ['x'] }, /not both/],
    ['POST', '/webhooks/backend/skip', {}, { state: 'lost' }, /"state" is "lost"/],
  ])('%s %s %j %j is told why', async (method, path, query, body, error) => {
    const { broker } = await start();
    const answer = await request(broker, method, path, { query, body });
    expect([400, 404]).toContain(answer.status);
    expect(answer.body).toMatchObject({ error: expect.stringMatching(error) });
  });
});

describe('countersign webhooks', { timeout: 90_000 }, () => {
  /** A broker, and a configuration file by which a command knows its app. */
  async function startForCommands() {
    const { broker, receiver } = await start();
    const file = await fileWith({ apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }] });
    const flags = ['--config', file, '--app', APP.id, '--url', broker.url];
    return { receiver, flags };
  }

  test('asks a running broker', async () => {
    const { receiver, flags } = await startForCommands();
    const ask = async (...words: string[]) =>
      JSON.parse((await runCli(['webhooks', ...words, ...flags])).stdout);
    expect(await ask('ls')).toMatchObject({ webhooks: [{ id: 'backend', state: 'active' }] });
    expect(await ask('pause', 'backend')).toEqual({ state: 'paused' });
    const { event } = await ask('test', 'backend');
    const { deliveries } = await ask('show', 'backend', '--state', 'pending');
    expect(deliveries).toMatchObject([{ events: [{ name: 'test', id: event }] }]);
    expect(await ask('retry', 'backend', deliveries[0].id)).toEqual({ retried: 1 });
    expect(await ask('resume', 'backend')).toEqual({ state: 'active' });
    expect(await receiver.nextEvent()).toMatchObject({ id: event });
    expect(await ask('skip', 'backend', '--state', 'dead')).toEqual({ skipped: 0 });
  });

  test('prints the answer, or why there is none', async () => {
    const { flags } = await startForCommands();
    const [ok, refused] = await Promise.all([
      runCli(['webhooks', 'pause', 'backend', ...flags]),
      runCli(['webhooks', 'show', 'nobody', ...flags]),
    ]);
    expect(ok).toMatchObject({ code: 0, stdout: '{\n  "state": "paused"\n}\n', stderr: '' });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/refused with 404.*no webhook/) });
  });

  test.each<[words: string[], stderr: RegExp]>([
    [['show'], /Missing required argument 'hook'/],
    [['mend', 'backend'], /Unknown command 'mend'/],
    [['show', 'backend', '--limit', '0'], /--limit.*Expected 1 to 1000/],
    [['show', 'backend', '--state', 'lost'], /--state.*Allowed choices are pending, failing, dead/],
    [['retry', 'backend'], /needs deliveries, or --state/],
    [['ls', '--app', 'nobody'], /--app: expected one of the configuration's apps, which are app-1/],
    [['ls', '--colour'], /Unknown option '--colour'/],
  ])('%j is told why', async (words, stderr) => {
    const config = await fileWith({ apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }] });
    const result = await runCli(['webhooks', ...words, '--config', config]);
    expect(result).toMatchObject({ code: 2, stderr: expect.stringMatching(stderr) });
  });

  test('says when no broker answers, and when the data directory is taken', async () => {
    const config = await fileWith({ apps: [{ id: APP.id, keys: [{ key: APP.key, secret: APP.secret }] }] });
    const result = await runCli(['webhooks', 'ls', '--config', config, '--url', 'http://127.0.0.1:1']);
    expect(result).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/^No broker answers at http:\/\/127/),
    });
    const data = newFolder();
    await startServer({ config: { data } });
    const other = await fileWith({
      port: 0,
      data,
      apps: [{ id: 'b', keys: [{ key: 'b', secret: 'secret-b' }] }],
    });
    expect(await runCli(['start', '--config', other])).toMatchObject({
      code: 1,
      stderr: `${data}/countersign.db cannot be used: another process has it open\n`,
    });
  });
});
