/** The commands about what may be read, and what was: what they print, what they change, and how they fail. */
import { expect, onTestFinished, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { runCli } from '../helpers/brokers/cli.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';

const TIMEOUT = 120_000;

async function start(settings: Parameters<typeof startServer>[0] = {}) {
  const broker = await startServer(settings);
  onTestFinished(() => broker.close());
  const env = {
    XDG_CONFIG_HOME: newFolder(),
    COUNTERSIGN_URL: broker.url,
    COUNTERSIGN_APP: APP.id,
    COUNTERSIGN_KEY: APP.key,
    COUNTERSIGN_SECRET: APP.secret,
  };
  const run = (...args: string[]) => runCli(args, { env });
  const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).stdout);
  return { broker, run, json };
}

test('access lists who can read what, and revoke takes it back', { timeout: TIMEOUT }, async () => {
  const { broker, run, json } = await start();
  const ann = await connect(broker);
  await ann.join('presence-team', { user_id: 'ann' });
  await ann.join('private-news');
  const list = await run('access', '--user', 'ann');
  expect(list).toMatchObject({ code: 0, stderr: '' });
  const [heads, row] = list.stdout.split('\n');
  expect(heads).toMatch(/^user +channel +connection +since +ends +key +grant +may$/);
  expect(row).toContain(`ann   presence-team  ${ann.socketId}`);
  expect(row).toMatch(/never +key-1 +- +subscribe publish$/);
  expect(await json('access', '--channel', 'private-news')).toMatchObject({
    subscriptions: [{ channel: 'private-news', socket_id: ann.socketId, user_id: null }],
  });

  const revoked = await run('revoke', '--user', 'ann', '--channel', 'presence-team', '--reason', 'Left');
  expect(revoked).toMatchObject({ code: 0, stdout: expect.stringMatching(/^rev-\S+\n$/) });
  expect(revoked.stderr).toMatch(
    /^ended 1 subscription, closed 0 connections\n1 of 1 node confirmed in \d+ ms\n$/,
  );
  expect(String(await ann.next())).toContain('Left');
  expect(await json('access', '--user', 'ann')).toEqual({ subscriptions: [] });
  const closed = await json('revoke', '--socket', ann.socketId, '--action', 'disconnect');
  expect(closed).toMatchObject({ ended: { connections: 1 }, nodes: { acknowledged: 1, total: 1 } });
  expect(await ann.closed()).toMatchObject({ code: 4009 });
});

test.each([
  [['revoke', '--reason', 'Left']],
  [['revoke', '--user', 'ann', '--action', 'forget']],
  [['revoke', '--user', 'ann', '--block', 'long']],
  [['access']],
  [['history', 'news', '--limit', '0']],
  [['audit', 'search', '--from', 'yesterday']],
  [['audit', 'search', '--type', 'anything']],
])('%j is a wrong command line', async (args) => {
  expect(await runCli(args)).toMatchObject({ code: 2, stdout: '' });
});

test('history prints the events of a channel, page by page', { timeout: TIMEOUT }, async () => {
  const { broker, run, json } = await start({
    app: { history: [{ channels: 'news', seconds: 600, messages: 2000 }] },
  });
  for (const n of [1, 2, 3]) await publish(broker, 'news', 'headline', `{"n":${n}}`);
  const all = await run('history', 'news');
  expect(all).toMatchObject({ code: 0, stderr: '' });
  const lines = all.stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^\d{4}-\S+Z \S+ headline \{"n":1\}$/);

  const part = await run('history', 'news', '--limit', '2');
  const [, after] = /^There is more: --after (\S+)\n$/.exec(part.stderr) ?? [];
  expect(await json('history', 'news', '--after', String(after))).toMatchObject({
    events: [{ name: 'headline', data: '{"n":3}' }],
    complete: true,
  });
  const none = await run('history', 'elsewhere', '--json');
  expect(none).toMatchObject({ code: 1, stdout: '' });
  expect(JSON.parse(none.stderr)).toMatchObject({ status: 400, code: 'no_history' });
});

test('audit search finds records', { timeout: TIMEOUT }, async () => {
  const { broker, run, json } = await start({ config: { data: newFolder(), audit: { enabled: true } } });
  const ann = await connect(broker);
  await ann.join('presence-team', { user_id: 'ann' });
  ann.subscribe('private-team', { auth: 'wrong' });
  await ann.next();
  await expect.poll(async () => (await json('audit', 'search')).records.length, { timeout: 30_000 }).toBe(2);
  const found = await run('audit', 'search', '--user', 'ann', '--from', '2020-01-01');
  expect(found).toMatchObject({ code: 0, stderr: '' });
  const [heads, row] = found.stdout.split('\n');
  expect(heads).toMatch(/^time +type +user +channel +connection +key +why$/);
  expect(row).toMatch(/Z +grant_used +ann +presence-team +\S+ +key-1 +$/);
  const refused = await json('audit', 'search', '--type', 'grant_refused');
  expect(refused).toMatchObject({ records: [{ channel: 'private-team' }] });
  expect(await json('audit', 'search', '--to', '2020-01-01')).toEqual({ records: [] });
  const more = await run('audit', 'search', '--limit', '1');
  expect(more.stderr).toContain('There is more');

  const off = await start();
  const refusal = await off.run('audit', 'search', '--json');
  expect(JSON.parse(refusal.stderr)).toMatchObject({ status: 404, code: 'audit_off' });
});
