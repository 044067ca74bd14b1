/** `countersign import`: files as other servers have them become a configuration that can be used. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '@countersign/server';
import { expect, test } from 'vitest';
import { runCli } from '../helpers/brokers/cli.ts';
import { newFolder } from '../helpers/folder.ts';

const TIMEOUT = 60_000;
const SECRET = 'f1c1a2b3d4e5968778a9';

interface Answer {
  readonly config: { readonly apps: readonly Record<string, unknown>[] } & Record<string, unknown>;
  readonly ignored: readonly { readonly path: string; readonly why: string }[];
}

function fileOf(name: string, content: string | object): string {
  const file = join(newFolder(), name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  return file;
}

/** Imports a file, and has the result checked as start would. */
async function imported(kind: string, file: string): Promise<Answer & { readonly paths: readonly string[] }> {
  const { code, stdout, stderr } = await runCli(['import', kind, file, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const answer: Answer = JSON.parse(stdout);
  const out = fileOf('countersign.json', answer.config);
  expect(await runCli(['config', 'check', '--config', out])).toMatchObject({ code: 0 });
  return { ...answer, paths: answer.ignored.map(({ path }) => path).sort() };
}

test('pusher: the credentials of a Laravel application', { timeout: TIMEOUT }, async () => {
  const env = fileOf(
    '.env',
    `APP_NAME=Shop
# broadcasting
BROADCAST_DRIVER=pusher
export PUSHER_APP_ID="1234567"
PUSHER_APP_KEY=1a2b3c4d5e6f7a8b9c0d
PUSHER_APP_SECRET='${SECRET}' # of the dashboard
PUSHER_HOST=
PUSHER_PORT=443
PUSHER_APP_CLUSTER=mt1
VITE_PUSHER_APP_KEY="\${PUSHER_APP_KEY}"
`,
  );
  const { config, paths } = await imported('pusher', env);
  expect(config).toEqual({
    apps: [{ id: '1234567', keys: [{ key: '1a2b3c4d5e6f7a8b9c0d', secret: SECRET }] }],
  });
  expect(paths).toEqual(['PUSHER_APP_CLUSTER', 'PUSHER_HOST', 'PUSHER_PORT']);
});

test.each<[string, object]>([
  ['one app', { app_id: '7', key: 'key-7', secret: SECRET, cluster: 'eu' }],
  ['a list', [{ appId: 7, key: 'key-7', secret: SECRET, cluster: 'eu' }]],
  ['a list in "apps"', { apps: [{ id: '7', key: 'key-7', secret: SECRET, cluster: 'eu' }] }],
  [
    'the names of the environment',
    {
      PUSHER_APP_ID: '7',
      PUSHER_APP_KEY: 'key-7',
      PUSHER_APP_SECRET: SECRET,
      PUSHER_APP_CLUSTER: 'eu',
    },
  ],
])('pusher: JSON, as %s', { timeout: TIMEOUT }, async (_what, content) => {
  const { config, ignored } = await imported('pusher', fileOf('pusher.json', content));
  expect(config).toEqual({ apps: [{ id: '7', keys: [{ key: 'key-7', secret: SECRET }] }] });
  expect(ignored).toEqual([
    { path: expect.stringMatching(/cluster$/i), why: expect.stringContaining('wsHost') },
  ]);
});

const SOKETI_APP = {
  id: 'shop',
  key: 'shop-key',
  secret: SECRET,
  maxConnections: -1,
  enableClientMessages: false,
  enabled: true,
  maxBackendEventsPerSecond: 100,
  maxClientEventsPerSecond: '50',
  maxReadRequestsPerSecond: 20,
  maxPresenceMembersPerChannel: 250,
  maxPresenceMemberSizeInKb: 2,
  maxChannelNameLength: 150,
  maxEventChannelsAtOnce: 50,
  maxEventNameLength: 120,
  maxEventPayloadInKb: 100,
  maxEventBatchSize: 5,
  enableUserAuthentication: true,
  webhooks: [
    {
      url: 'https://shop.example/hook',
      event_types: ['member_added', 'cache_missed'],
      headers: { 'X-Token': 'abc' },
      filter: { channel_name_starts_with: 'presence-', channel_name_ends_with: '-eu' },
    },
    { url: 'https://shop.example/hook', event_types: ['channel_occupied'] },
    { lambda_function: 'on-event', event_types: ['channel_vacated'], lambda: { region: 'us-east-1' } },
  ],
};

/** What becomes of it. */
const SHOP = {
  id: 'shop',
  keys: [{ key: 'shop-key', secret: SECRET }],
  enabled: true,
  clientEvents: false,
  requireUserAuthentication: true,
  limits: {
    connections: null,
    clientEventsPerSecond: 50,
    httpRequestsPerSecond: 120,
    presenceMembers: 250,
    presenceMemberBytes: 2048,
    channelNameLength: 150,
    channelsPerPublish: 50,
    eventNameLength: 120,
    eventDataBytes: 102_400,
    batchSize: 5,
  },
  webhooks: [
    {
      url: 'https://shop.example/hook',
      events: ['member_added', 'cache_miss'],
      channelPrefix: 'presence-',
      headers: { 'X-Token': 'abc' },
    },
    { id: 'webhook-2', url: 'https://shop.example/hook', events: ['channel_occupied'] },
  ],
};

test('soketi: apps with limits and webhooks', { timeout: TIMEOUT }, async () => {
  const file = fileOf('soketi.json', {
    debug: true,
    host: '0.0.0.0',
    port: 6002,
    appManager: { driver: 'array', array: { apps: [SOKETI_APP] } },
    userAuthenticationTimeout: 15_000,
    adapter: { driver: 'redis' },
    ssl: { certPath: '/etc/cert.pem' },
  });
  const { config, ignored, paths } = await imported('soketi', file);
  expect(config).toMatchObject({ host: '0.0.0.0', port: 6002, authenticationTimeoutSeconds: 15 });
  expect(config.apps).toEqual([SHOP]);
  expect(paths).toEqual([
    'adapter',
    'appManager.array.apps[0].webhooks[0].filter.channel_name_ends_with',
    'appManager.array.apps[0].webhooks[2]',
    'appManager.driver',
    'debug',
    'ssl',
  ]);
  expect(ignored.every(({ why }) => why.length > 0)).toBe(true);
});

test('soketi: names with dots, and the secret of its documentation is replaced', {
  timeout: TIMEOUT,
}, async () => {
  const file = fileOf('soketi.json', {
    'appManager.array.apps': [
      { id: 'app-id', key: 'app-key', secret: 'change-me', webhooks: [], maxConnections: 100 },
    ],
    'appManager.cache.enabled': true,
  });
  const { config, paths } = await imported('soketi', file);
  const [{ keys, ...app } = {}] = config.apps;
  expect(app).toEqual({ id: 'app-id', limits: { connections: 100 } });
  expect(keys).toEqual([{ key: 'app-key', secret: expect.stringMatching(/^[\w-]{43}$/) }]);
  expect(paths).toEqual(['appManager.array.apps[0].secret', 'appManager.cache']);
});

test('sockudo: the same in snake case, and origins', { timeout: TIMEOUT }, async () => {
  const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const app = Object.fromEntries(Object.entries(SOKETI_APP).map(([name, value]) => [snake(name), value]));
  const file = fileOf('config.json', {
    path_prefix: '/realtime',
    app_manager: {
      driver: 'memory',
      array: {
        apps: [
          {
            ...app,
            max_connections: '0',
            max_read_requests_per_second: null,
            allowed_origins: ['https://shop.example', '*.shop.example'],
            enable_watchlist_events: true,
          },
        ],
      },
    },
    metrics: { enabled: true },
  });
  const { config, paths } = await imported('sockudo', file);
  expect(config).toMatchObject({ pathPrefix: '/realtime' });
  expect(config.apps).toEqual([
    {
      ...SHOP,
      allowedOrigins: ['https://shop.example', 'https://*.shop.example'],
      limits: { ...SHOP.limits, httpRequestsPerSecond: 100 },
    },
  ]);
  expect(paths).toEqual([
    'app_manager.array.apps[0].allowed_origins',
    'app_manager.array.apps[0].enable_watchlist_events',
    'app_manager.array.apps[0].webhooks[0].filter.channel_name_ends_with',
    'app_manager.array.apps[0].webhooks[2]',
    'app_manager.driver',
    'metrics',
  ]);
});

test('reverb: its environment', { timeout: TIMEOUT }, async () => {
  const env = fileOf(
    '.env',
    `REVERB_APP_ID=256980
REVERB_APP_KEY=reverb-key
REVERB_APP_SECRET=${SECRET}
REVERB_APP_MAX_CONNECTIONS=500
REVERB_APP_PING_INTERVAL=60
REVERB_HOST="localhost"
REVERB_PORT=8080
REVERB_SCHEME=http
REVERB_SERVER_HOST=0.0.0.0
REVERB_SERVER_PORT=8081
VITE_REVERB_APP_KEY="\${REVERB_APP_KEY}"
`,
  );
  const { config, paths } = await imported('reverb', env);
  expect(config).toEqual({
    host: '0.0.0.0',
    port: 8081,
    apps: [{ id: '256980', keys: [{ key: 'reverb-key', secret: SECRET }], limits: { connections: 500 } }],
  });
  expect(paths).toEqual(['REVERB_APP_PING_INTERVAL', 'REVERB_HOST', 'REVERB_PORT', 'REVERB_SCHEME']);
});

test('reverb: its configuration', { timeout: TIMEOUT }, async () => {
  const file = fileOf('reverb.json', {
    default: 'reverb',
    servers: { reverb: { host: '0.0.0.0', port: 8080, path: '', scaling: { enabled: false } } },
    apps: {
      provider: 'config',
      apps: [
        {
          key: 'reverb-key',
          secret: SECRET,
          app_id: 'shop',
          options: { host: 'ws.shop.example', port: 443, scheme: 'https', useTLS: true },
          allowed_origins: ['shop.example'],
          ping_interval: 60,
          activity_timeout: 30,
          max_connections: null,
          max_message_size: 10_000,
          accept_client_events_from: 'none',
          rate_limiting: { enabled: false },
        },
        { app_id: 'open', key: 'open-key', secret: `${SECRET}2`, allowed_origins: ['*'] },
      ],
    },
  });
  const { config, paths } = await imported('reverb', file);
  expect(config).toEqual({
    host: '0.0.0.0',
    port: 8080,
    apps: [
      {
        id: 'shop',
        keys: [{ key: 'reverb-key', secret: SECRET }],
        allowedOrigins: ['https://shop.example'],
        activityTimeoutSeconds: 30,
        clientEvents: false,
        limits: { eventDataBytes: 10_000 },
      },
      { id: 'open', keys: [{ key: 'open-key', secret: `${SECRET}2` }] },
    ],
  });
  expect(paths).toEqual([
    'apps.apps[0].allowed_origins',
    'apps.apps[0].options',
    'apps.apps[0].ping_interval',
    'apps.apps[0].rate_limiting',
    'apps.provider',
    'default',
    'servers.reverb.scaling',
  ]);
});

test('the configuration is printed, or written for its user alone and over nothing', {
  timeout: TIMEOUT,
}, async () => {
  const file = fileOf('p.json', { app_id: '7', key: 'key-7', secret: SECRET, cluster: 'eu' });
  const printed = await runCli(['import', 'pusher', file]);
  expect(printed.code).toBe(0);
  expect(parseConfig(JSON.parse(printed.stdout)).apps[0]).toMatchObject({ id: '7' });
  expect(printed.stderr).toMatch(/^One app was taken over\.\nnot taken over: cluster: /);
  const out = join(newFolder(), 'countersign.json');
  expect(await runCli(['import', 'pusher', file, '--out', out])).toMatchObject({
    code: 0,
    stdout: `${out}\n`,
  });
  expect(statSync(out).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual(JSON.parse(printed.stdout));
  const again = await runCli(['import', 'pusher', file, '--out', out, '--json']);
  expect(again).toMatchObject({ code: 1, stdout: '' });
  expect(JSON.parse(again.stderr)).toMatchObject({ code: 'file_exists' });
});

test.each<[what: string, kind: string, content: string | object, code: number, problem: RegExp]>([
  ['another kind', 'ably', {}, 2, /Allowed choices are pusher, soketi, reverb, sockudo/],
  ['no secret', 'pusher', 'PUSHER_APP_ID=1\nPUSHER_APP_KEY=k\n', 1, /PUSHER_APP_SECRET is missing/],
  ['no apps', 'soketi', { port: 6001 }, 1, /appManager\.array\.apps is missing/],
  ['an empty list', 'pusher', [], 1, /has no app/],
  ['a list', 'sockudo', [], 1, /is an object of JSON/],
  ['broken JSON', 'sockudo', '{ "secret": "hunter22"', 1, /is no JSON/],
  ['an id that no path can have', 'pusher', { app_id: 'a/b', key: 'k', secret: SECRET }, 1, /apps\[0\]\.id/],
])('%s is refused', { timeout: TIMEOUT }, async (_what, kind, content, code, problem) => {
  const answer = await runCli(['import', kind, fileOf('file', content), '--json']);
  expect(answer).toMatchObject({ code, stdout: '' });
  expect(JSON.parse(answer.stderr).detail).toMatch(problem);
  expect(answer.stderr).not.toContain('hunter22');
  expect(answer.stderr).not.toContain(SECRET);
});
