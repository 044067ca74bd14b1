import { describe, expect, test } from 'vitest';
import { describeConfig } from '#server/config/description';
import { ConfigError } from '#server/config/error';
import { loadConfig, parseConfig } from '#server/config/load';
import { fileWith } from '../helpers/brokers/config-file.ts';

const app = { id: 'app-1', keys: [{ key: 'key-1', secret: 'secret-1' }] };

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('expected a ConfigError');
}

const problems = (input: unknown) =>
  messageOf(() => parseConfig(input))
    .split('\n')
    .slice(1)
    .map((line) => line.trim());

describe('what stands in the file', () => {
  test('every setting but the apps has a default', () => {
    expect(parseConfig({})).toEqual({
      host: '127.0.0.1',
      port: 6001,
      apps: [],
      activityTimeoutSeconds: 120,
      pongTimeoutSeconds: 30,
      authenticationTimeoutSeconds: 30,
      maxMessageBytes: 65_536,
      maxBufferedBytes: 1_048_576,
      requestTimeoutSeconds: 30,
      answerTimeoutSeconds: 60,
      keepAliveSeconds: 75,
      keptBytes: 268_435_456,
      historyMaxTotalBytes: 268_435_456,
      flushGapMaxMs: 5,
      warmUpSeconds: 2,
      nodeTimeoutSeconds: 10,
      drainWindowSeconds: 5,
      drainTimeoutSeconds: 30,
      failedAuthenticationsPerMinute: 60,
      trustProxy: false,
      webhookGraceSeconds: 3,
      webhookRestartGraceSeconds: 60,
      webhookRetrySeconds: 86_400,
      webhookLogSeconds: 1_209_600,
      webhookMaxPending: 100_000,
      webhookMaxLogEvents: 1_000_000,
      webhookMaxBytes: 67_108_864,
      webhookMaxTotalBytes: 268_435_456,
      console: true,
      admin: { tokens: [] },
      usage: {},
      audit: {
        enabled: false,
        keepSeconds: 7_776_000,
        maxBytes: 1_073_741_824,
        required: false,
        fullAddresses: false,
      },
      pathPrefix: '',
      log: { level: 'info', pretty: false, linesPerMinute: 60 },
      metrics: {},
    });
  });

  test('an app has defaults too', () => {
    expect(parseConfig({ apps: [app] }).apps[0]).toEqual({
      ...app,
      keys: [{ ...app.keys[0], state: 'active' }],
      enabled: true,
      requireTLS: false,
      requireNonce: false,
      explainRefusals: false,
      cacheSeconds: 1800,
      history: [],
      historyMaxBytes: 67_108_864,
      historyDurable: false,
      idempotencySeconds: 600,
      clientEvents: true,
      subscriptionCount: false,
      requireUserAuthentication: false,
      allowedOrigins: ['*'],
      maxConnectionSeconds: null,
      grants: { maxSeconds: null, onExpiry: 'end', requireExpiry: false, renewal: null },
      tokens: null,
      limits: {
        connections: 50_000,
        connectionsPerUser: null,
        clientEventsPerSecond: 10,
        clientEventsPerSecondPerUser: null,
        framesPerSecond: 100,
        refusedProofsPerMinute: 60,
        signInsPerMinute: 30,
        eventDataBytes: 10_240,
        eventNameLength: 200,
        channelNameLength: 200,
        idempotencyKeys: 100_000,
        idempotencyBytes: 67_108_864,
        keptEvents: 10_000,
        keptBytes: 16_777_216,
        blocks: 100_000,
        blockBytes: 33_554_432,
        channelsPerPublish: 100,
        batchSize: 10,
        coalescedBatchSize: 100,
        publishConnections: 100,
        nonces: 1_000_000,
        presenceMembers: 100,
        presenceMemberBytes: 1024,
        subscriptionsPerConnection: 200,
        messagesPerDay: null,
        connectionMinutesPerMonth: null,
        httpRequestsPerSecond: 2000,
      },
      webhooks: [],
    });
  });

  test('the result cannot be changed', () => {
    const config = parseConfig({ apps: [app] });
    for (const part of [config, config.apps, config.apps[0], config.apps[0]?.keys[0], config.log]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  test('the message starts with the name of the source', () => {
    expect(messageOf(() => parseConfig({ port: 1.5 }, 'my.json'))).toBe(
      'Wrong configuration in my.json:\n  port: got 1.5, expected a whole number',
    );
  });

  test.each<[input: unknown, problem: string]>([
    [[], 'top level: got a list, expected an object'],
    ['text', 'top level: got "text", expected an object'],
    [{ colour: 'red' }, 'colour: got "red", but there is no such key'],
    [{ port: '6001' }, 'port: got "6001", expected a whole number'],
    [{ port: 65_536 }, 'port: got 65536, expected at most 65535'],
    [{ port: -1 }, 'port: got -1, expected at least 0'],
    [{ host: '' }, 'host: got "", expected at least 1 characters'],
    [{ log: 5 }, 'log: got 5, expected an object'],
    [{ log: { pretty: 'yes' } }, 'log.pretty: got "yes", expected true or false'],
    [
      { log: { level: 'loud' } },
      'log.level: got "loud", expected one of "trace", "debug", "info", "warn", "error", "fatal", "silent"',
    ],
    [{ tls: { cert: 'cert.pem' } }, 'tls.key: missing, expected a text'],
    [
      { failedAuthenticationsPerMinute: 'off' },
      'failedAuthenticationsPerMinute: got "off", expected a whole number or null',
    ],
    [{ pathPrefix: 'x/' }, 'pathPrefix: got "x/", expected "" or a path such as "/realtime"'],
    [{ trustProxy: {} }, 'trustProxy: got an object, expected true or false or a whole number or a list'],
    [
      { trustProxy: ['10.0.0.0/99'] },
      'trustProxy: got a list, expected IP addresses, CIDR ranges, "loopback", "linklocal" or "uniquelocal"',
    ],
    [{ redis: {} }, 'redis: got an object, expected exactly one of url, sentinel and cluster'],
    [
      { redis: { url: 'http://user:hush@host' } },
      'redis.url: got a value that is not shown, expected a URL such as "redis://user:password@host:6379", or rediss:// for TLS',
    ],
    [{ nodeTimeoutSeconds: 1 }, 'nodeTimeoutSeconds: got 1, expected at least 2'],
    [{ apps: {} }, 'apps: got an object, expected a list'],
    [{ apps: [{ ...app, id: 'a/b' }] }, 'apps[0].id: got "a/b", expected 1 to 64 of A-Z a-z 0-9 _ -'],
    [{ apps: [{ ...app, keys: [] }] }, 'apps[0].keys: got a list, expected at least 1 items'],
    [{ apps: [{ ...app, clientEvent: true }] }, 'apps[0].clientEvent: got true, but there is no such key'],
    [
      { apps: [{ ...app, limits: { batchSize: 0 } }] },
      'apps[0].limits.batchSize: got 0, expected at least 1',
    ],
    [
      { apps: [{ ...app, keys: [{ key: 'a b', secret: 'secret-1' }] }] },
      'apps[0].keys[0].key: got "a b", expected 1 to 128 of A-Z a-z 0-9 _ - = @ , . ;',
    ],
  ])('%j is refused by path, value and what was expected', (input, problem) => {
    expect(problems(input)).toEqual([problem]);
  });

  test('all problems are named at once', () => {
    expect(problems({ port: 'x', log: { level: 1 }, size: 2 })).toHaveLength(3);
  });

  test.each([
    'https://example.com/',
    'https://example.com/path',
    'HTTPS://Example.com',
    'https://example.com:443',
    'example.com',
    'https://*.*.example.com',
    'https://ex*mple.com',
    'https://user@example.com',
    '',
  ])('"%s" is no origin that a browser sends', (origin) => {
    expect(problems({ apps: [{ ...app, allowedOrigins: [origin] }] })).toEqual([
      `apps[0].allowedOrigins[0]: got "${origin}", expected "*", an origin as browsers send it, such as "https://example.com", or one with a wildcard host, such as "https://*.example.com"`,
    ]);
  });

  test.each<[what: string, apps: unknown]>([
    ['a setting that is misspelled', [{ ...app, encryptionMasterKey: 'SECRET-of-32-characters-and-more' }]],
    ['the id', [{ ...app, id: 'SECRET/of+32/characters' }]],
    ['the key', [{ ...app, keys: [{ key: 'SECRET/of+32/characters', secret: 'secret-1' }] }]],
    [
      'the name of the key',
      [{ ...app, keys: [{ 'SECRET-of-32-characters-and-more-than-40-of-them': 'key' }] }],
    ],
    ['a URL', [{ ...app, webhooks: [{ url: 'https://ann:SECRET@a.example', events: ['cache_miss'] }] }]],
  ])('a secret in the place of %s is not shown', (_what, apps) => {
    const found = problems({ apps });
    expect(found).not.toEqual([]);
    expect(found.join()).not.toMatch(/SECRET-|SECRET\/|SECRET@/);
  });

  test.each(['__proto__', 'constructor', 'toString'])('%s is an unknown key like any other', (name) => {
    const nested = JSON.parse(`{ "id": "app-1", "keys": [], "${name}": {} }`);
    const input = JSON.parse(`{ "${name}": { "port": 1 } }`);
    expect(problems({ ...input, apps: [{ ...app, ...nested, keys: app.keys }] })).toEqual([
      `apps[0].${name}: got an object, but there is no such key`,
      `${name}: got an object, but there is no such key`,
    ]);
  });
});

describe('secrets', () => {
  const secret = 'hush-hush-hush-hush-hush-hush-hush-hush-hush-hush-hush-hush';

  test.each<[where: string, input: unknown]>([
    ['a secret that is too long', { apps: [{ ...app, keys: [{ key: 'k', secret: secret.repeat(10) }] }] }],
    ['a misspelled secret', { apps: [{ ...app, keys: [{ key: 'k', secret: 'secret-1', sercet: secret }] }] }],
    ['a secret in the place of its section', { apps: [{ ...app, keys: [secret] }] }],
    ['a secret in the place of its app', { apps: [secret] }],
    ['a secret in the place of all apps', { apps: secret }],
    ['a secret outside of its section', { apps: [{ ...app, secret }] }],
    ['a secret at the top', { appSecret: secret }],
    ['a misspelled token', { metrics: { tokn: secret } }],
    ['a token in the place of its section', { metrics: secret }],
  ])('%s is not shown', (_where, input) => {
    const message = messageOf(() => parseConfig(input));
    expect(message).not.toContain('hush');
    expect(message).toContain('got a value that is not shown');
  });

  test('text that is not JSON is not shown either', async () => {
    const load = loadConfig({ env: { COUNTERSIGN_APPS: `[{"secret": ${secret}}]` } });
    await expect(load).rejects.toThrow(/^Wrong configuration in COUNTERSIGN_APPS:\n {2}not JSON$/);
  });

  test('the configuration is described without them', () => {
    const config = parseConfig({ apps: [app], metrics: { token: 'token-of-metrics' } });
    const described = describeConfig(config);
    expect(described).toMatchObject({
      port: 6001,
      apps: [{ id: 'app-1', keys: [{ key: 'key-1', secret: '********' }] }],
      metrics: { token: '********' },
    });
    expect(JSON.stringify(described)).not.toMatch(/secret-1|token-of-metrics/);
  });
});

describe('impossible pairs', () => {
  test.each<[pair: string, input: unknown, problem: string]>([
    [
      'an app id twice',
      { apps: [app, { ...app, keys: [{ key: 'key-2', secret: 'secret-2' }] }] },
      'apps[1].id: got "app-1", expected an id that no other app has',
    ],
    [
      'a key in two apps',
      { apps: [app, { ...app, id: 'app-2' }] },
      'apps[1].keys[0].key: got "key-1", expected a key that stands nowhere else',
    ],
    [
      'a key twice in one app',
      { apps: [{ ...app, keys: [...app.keys, ...app.keys] }] },
      'apps[0].keys[1].key: got "key-1", expected a key that stands nowhere else',
    ],
    [
      'frames smaller than the data of an event',
      { maxMessageBytes: 4096, apps: [app] },
      'maxMessageBytes: got 4096, expected at least 10240, the largest eventDataBytes of an app',
    ],
    [
      'buffers smaller than the data of an event',
      { maxBufferedBytes: 20_000, apps: [{ ...app, limits: { eventDataBytes: 30_000 } }] },
      'maxBufferedBytes: got 20000, expected at least 30000, the largest eventDataBytes of an app',
    ],
    [
      'draining longer than allowed',
      { drainTimeoutSeconds: 3 },
      'drainWindowSeconds: got 5, expected at most 3, the drainTimeoutSeconds',
    ],
    [
      'metrics on the port of the broker',
      { metrics: { port: 6001 } },
      'metrics.port: got 6001, expected another port than that of the broker',
    ],
    [
      'a data directory and Redis',
      { data: '/data', redis: { url: 'redis://localhost' } },
      'data: got "/data", expected no data directory together with redis, which keeps everything then',
    ],
  ])('%s is refused', (_pair, input, problem) => {
    expect(problems(input)).toEqual([problem]);
  });
});

describe('file, then environment, then flags', () => {
  test('each overrides those before it', async () => {
    const file = await fileWith('{ "host": "::", "port": 1, "activityTimeoutSeconds": 60 }');
    const env = { COUNTERSIGN_HOST: '0.0.0.0', COUNTERSIGN_PORT: '2', PORT: '3' };
    const config = await loadConfig({ file, env, flags: { port: '4' } });
    expect(config).toMatchObject({ host: '0.0.0.0', port: 4, activityTimeoutSeconds: 60 });
  });

  test('the environment can name the file', async () => {
    const file = await fileWith('{ "port": 7 }');
    expect(await loadConfig({ env: { COUNTERSIGN_CONFIG: file } })).toMatchObject({ port: 7 });
  });

  test('a section may be overridden in part', async () => {
    const file = await fileWith('{ "log": { "level": "warn", "pretty": true } }');
    const config = await loadConfig({ file, env: { COUNTERSIGN_LOG__LEVEL: 'debug' } });
    expect(config.log).toEqual({ level: 'debug', pretty: true, linesPerMinute: 60 });
  });

  test.each<[name: string, text: string, expected: object]>([
    ['COUNTERSIGN_MAX_MESSAGE_BYTES', '2048', { maxMessageBytes: 2048 }],
    ['COUNTERSIGN_LOG__PRETTY', 'true', { log: { pretty: true } }],
    ['COUNTERSIGN_PATH_PREFIX', '', { pathPrefix: '' }],
    ['COUNTERSIGN_PATH_PREFIX', '/1', { pathPrefix: '/1' }],
    ['COUNTERSIGN_FAILED_AUTHENTICATIONS_PER_MINUTE', 'null', { failedAuthenticationsPerMinute: null }],
    ['COUNTERSIGN_TRUST_PROXY', 'true', { trustProxy: true }],
    ['COUNTERSIGN_TRUST_PROXY', '2', { trustProxy: 2 }],
    ['COUNTERSIGN_TRUST_PROXY', '10.0.0.0/8, ::1', { trustProxy: ['10.0.0.0/8', '::1'] }],
    ['COUNTERSIGN_METRICS__TOKEN', '12345678', { metrics: { token: '12345678' } }],
    ['COUNTERSIGN_APPS', JSON.stringify([app]), { apps: [app] }],
    [
      'COUNTERSIGN_APPS',
      JSON.stringify([{ ...app, limits: { clientEventsPerSecond: null, framesPerSecond: null } }]),
      { apps: [{ limits: { clientEventsPerSecond: null, framesPerSecond: null } }] },
    ],
  ])('%s=%s is understood', async (name, text, expected) => {
    expect(await loadConfig({ env: { [name]: text } })).toMatchObject(expected);
  });

  test.each<[name: string, text: string, problem: string]>([
    ['COUNTERSIGN_PORT', '80x', 'port: got "80x" from COUNTERSIGN_PORT, expected a whole number'],
    ['COUNTERSIGN_PORT', '', 'port: got "" from COUNTERSIGN_PORT, expected a whole number'],
    [
      'COUNTERSIGN_LOG__PRETTY',
      'yes',
      'log.pretty: got "yes" from COUNTERSIGN_LOG__PRETTY, expected true or false',
    ],
    [
      'COUNTERSIGN_METRICS__TOKEN',
      'short',
      'metrics.token: got a value that is not shown from COUNTERSIGN_METRICS__TOKEN, expected at least 8 characters',
    ],
  ])('%s=%s is refused by the name of the variable', async (name, text, problem) => {
    await expect(loadConfig({ env: { [name]: text } })).rejects.toThrow(
      new ConfigError(undefined, [problem]).message,
    );
  });

  test.each(['COUNTERSIGN_COLOUR', 'COUNTERSIGN_LOG', 'COUNTERSIGN___PROTO__', 'COUNTERSIGN_CONSTRUCTOR'])(
    '%s stands for no setting',
    async (name) => {
      await expect(loadConfig({ env: { [name]: '1' } })).rejects.toThrow(
        `Wrong configuration in the environment:\n  ${name}: no such setting\n  expected one of COUNTERSIGN_CONFIG, COUNTERSIGN_HOST, `,
      );
    },
  );

  test('a flag is refused by its name', async () => {
    await expect(loadConfig({ flags: { port: 'http' } })).rejects.toThrow(
      'port: got "http" from --port, expected a whole number',
    );
  });

  test('a file that is not there is named', async () => {
    const file = await fileWith('');
    await expect(loadConfig({ file: `${file}.old` })).rejects.toThrow(
      `Wrong configuration in ${file}.old:\n  the file cannot be read: there is no such file (ENOENT)`,
    );
  });

  test('a file that is not JSON is named with line and column', async () => {
    const file = await fileWith('{\n  "port": 1,\n  "host": "a" "b"\n}');
    await expect(loadConfig({ file })).rejects.toThrow(
      `Wrong configuration in ${file}:\n  not JSON: mistake at line 3, column 15`,
    );
  });

  test('a section that is no object is refused, also where a variable belongs into it', async () => {
    const file = await fileWith('{ "log": "debug" }');
    await expect(loadConfig({ file, env: { COUNTERSIGN_LOG__LEVEL: 'debug' } })).rejects.toThrow(
      'log: got "debug", expected an object',
    );
  });
});
