/** The commands that ask a running broker: whom they ask, what they print, and how they fail. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runCli, startCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { open } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';
import { frames } from '../helpers/frames.ts';

const TIMEOUT = 60_000;

/** A broker, and the environment in which commands ask it. */
async function start(config: Record<string, unknown> = {}, app: Record<string, unknown> = {}) {
  const broker = await startServer({ config, app });
  const url = `${broker.url}${config['pathPrefix'] ?? ''}`;
  const env = {
    XDG_CONFIG_HOME: newFolder(),
    COUNTERSIGN_URL: url,
    COUNTERSIGN_APP: APP.id,
    COUNTERSIGN_KEY: APP.key,
    COUNTERSIGN_SECRET: APP.secret,
  };
  return { broker, env, url };
}

describe('publish', { timeout: TIMEOUT }, () => {
  test('sends what it is given, and prints the answer', async () => {
    const { broker, env } = await start();
    const client = await open(broker).established();
    await client.join('news');
    const people = await runCli(['publish', 'news', 'greeting', '{"text":"hello"}'], { env });
    expect(people).toMatchObject({ code: 0, stdout: 'published greeting to news\n', stderr: '' });
    expect(await client.next()).toBe(frames.event('greeting', 'news', '{"text":"hello"}'));
    const json = await runCli(['publish', 'news', 'word', 'plain text', '--json'], { env });
    expect(JSON.parse(json.stdout)).toEqual({});
    expect(await client.next()).toBe(frames.event('word', 'news', 'plain text'));
  });

  test('reaches a broker with a path prefix', async () => {
    const { env } = await start({ pathPrefix: '/realtime' });
    expect(await runCli(['publish', 'news', 'greeting'], { env })).toMatchObject({ code: 0 });
  });

  test('reaches an app that requires nonces', async () => {
    const { env } = await start({}, { requireNonce: true });
    expect(await runCli(['publish', 'news', 'greeting'], { env })).toMatchObject({ code: 0 });
  });
});

describe('channels and members', { timeout: TIMEOUT }, () => {
  test('list names for people, and the answer of the API as JSON', async () => {
    const { broker, env } = await start();
    const client = await open(broker).established();
    await client.join('news');
    await client.join('presence-room', { user_id: 'ann' });
    const [names, json, wide, members] = await Promise.all([
      runCli(['channels'], { env }),
      runCli(['channels', '--json'], { env }),
      runCli(['channels', '--prefix', 'presence-', '--info', 'user_count'], { env }),
      runCli(['members', 'presence-room'], { env }),
    ]);
    expect(names.stdout).toBe('news\npresence-room\n');
    expect(JSON.parse(json.stdout)).toEqual({ channels: { news: {}, 'presence-room': {} } });
    expect(wide.stdout).toBe('channel        user_count\npresence-room           1\n');
    expect(members.stdout).toBe('ann\n');
  });
});

describe('tail', { timeout: TIMEOUT }, () => {
  test('prints events as values, a line each, and signs for itself', async () => {
    const { env } = await start();
    const tail = startCli(['tail', 'private-orders', '--json', '--count', '2'], { env });
    await tail.noted('subscribed to private-orders');
    await runCli(['publish', 'private-orders', 'placed', '{"id":7}'], { env });
    await runCli(['publish', 'private-orders', 'paid', '{"id":7}'], { env });
    const { code, stdout } = await tail.result();
    expect(code).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { at: expect.any(String), channel: 'private-orders', event: 'placed', data: { id: 7 } },
      { at: expect.any(String), channel: 'private-orders', event: 'paid', data: { id: 7 } },
    ]);
  });

  test('follows the channels that others occupy, if none is named', async () => {
    const { broker, env } = await start();
    await (await open(broker).established()).join('news');
    const tail = startCli(['tail', '--count', '1'], { env });
    await tail.noted('subscribed to news');
    await runCli(['publish', 'news', 'greeting', '"hello"'], { env });
    expect((await tail.result()).stdout).toMatch(/^\d\d:\d\d:\d\d news greeting "hello"\n$/);
  });

  test('ends when the broker refuses it', async () => {
    const { env } = await start();
    const result = await runCli(['tail', 'news', '--json'], { env: { ...env, COUNTERSIGN_KEY: 'nobody' } });
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/refused with 4001/);
  });
});

describe('a command finds its broker', { timeout: TIMEOUT }, () => {
  test('by a profile, which login stores for its user alone', async () => {
    const { env, url } = await start();
    const { code } = await runCli(['login', 'staging'], { env });
    expect(code).toBe(0);
    const file = join(env.XDG_CONFIG_HOME, 'countersign/profiles.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      staging: { url, app: APP.id, key: APP.key, secret: APP.secret },
    });
    const bare = { XDG_CONFIG_HOME: env.XDG_CONFIG_HOME };
    expect((await runCli(['channels', '--profile', 'staging'], { env: bare })).code).toBe(0);
    expect((await runCli(['channels'], { env: { ...bare, COUNTERSIGN_PROFILE: 'staging' } })).code).toBe(0);
    expect((await runCli(['logout', 'staging'], { env: bare })).code).toBe(0);
    expect(await runCli(['channels', '--profile', 'staging'], { env: bare })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^--profile: got "staging", expected one of none/),
    });
  });

  test('and does not store what the broker refuses', async () => {
    const { env } = await start();
    const result = await runCli(['login', '--secret', 'another-secret'], { env });
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/refused with 401/) });
    expect(existsSync(join(env.XDG_CONFIG_HOME, 'countersign'))).toBe(false);
  });

  test('by flags before the environment, and says what is missing', async () => {
    const { env } = await start();
    const elsewhere = await runCli(['channels', '--url', 'http://127.0.0.1:1', '--json'], { env });
    expect(elsewhere.code).toBe(3);
    expect(JSON.parse(elsewhere.stderr)).toEqual({
      type: 'about:blank',
      title: 'No broker was reached',
      detail: 'No broker answers at http://127.0.0.1:1: start it, or give its address with --url',
      code: 'unreachable',
    });
    const nobody = await runCli(['channels'], { env: { XDG_CONFIG_HOME: env.XDG_CONFIG_HOME } });
    expect(nobody).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^No app: give --app, COUNTERSIGN_APP/),
    });
  });

  test('start ignores the variables of the other commands', async () => {
    const { env } = await start();
    const config = await fileWith({
      apps: [{ id: '1', keys: [{ key: 'a', secret: 'kT3v0pWzq8kT3v0pWzq8' }] }],
    });
    expect(await runCli(['config', 'check', '--config', config], { env })).toMatchObject({ code: 0 });
  });
});
