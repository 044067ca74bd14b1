import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '#server/config/load';
import { createLog } from '#server/log/log';

function logTo(settings: Partial<Parameters<typeof createLog>[0]> = {}) {
  const lines: string[] = [];
  const log = createLog(
    { level: 'info', pretty: false, linesPerMinute: 60, ...settings },
    { write: (line) => lines.push(line) },
  );
  return { log, lines };
}

describe('what is secret by its value', () => {
  const SECRET = 'b1946ac92492d2347c6235b4d2611184-secret';

  test.each<[what: string, fields: object]>([
    ['a key', { key: SECRET }],
    ['a part of a message', { reason: `No app has the key '${SECRET}'` }],
    ['a path', { path: `/apps/${SECRET}/events` }],
    ['a part of it that was cut', { key: SECRET.slice(0, 30) }],
    ['a name', { [SECRET]: 1 }],
    ['an error', { err: new Error(SECRET) }],
  ])('is masked as %s', (_what, fields) => {
    parseConfig({ apps: [{ id: '1', keys: [{ key: 'key-1', secret: SECRET }] }] });
    const { log, lines } = logTo();
    log.info(fields, 'a');
    expect(lines.join()).toContain('********');
    expect(lines.join()).not.toContain(SECRET.slice(0, 12));
  });

  test('also in webhooks, for the metrics and Redis; and signatures', () => {
    const HOOK_SECRET = 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    parseConfig({
      apps: [
        {
          id: '1',
          keys: [{ key: 'key-1', secret: 'kT3v0pWzq8"\\' }],
          webhooks: [
            {
              url: 'https://a.example/?key=query-value-of-a-hook',
              events: ['cache_miss'],
              headers: { Authorization: 'Bearer header-value-of-a-hook', 'X-Stage': 'production' },
              secrets: [`whsec_${HOOK_SECRET}`],
            },
          ],
        },
      ],
      metrics: { token: 'token-of-the-metrics' },
      redis: { url: 'redis://user:password-of-redis@127.0.0.1' },
    });
    const { log, lines } = logTo();
    const signature = 'ab'.repeat(32);
    log.info(
      { a: 'kT3v0pWzq8"\\', b: 'query-value-of-a-hook', c: 'header-value-of-a-hook', d: signature },
      'a',
    );
    log.info({ a: `whsec_${HOOK_SECRET}`, b: HOOK_SECRET }, 'a');
    log.info({ a: 'token-of-the-metrics', b: 'password-of-redis', c: 'production' }, 'a');
    expect(lines.join()).not.toMatch(/kT3v|-value-of-|token-of-the|password-of|abab|MfKQ9r8G/);
    expect(lines.join()).toContain('production');
  });

  test('and nothing that a terminal would obey is written', async () => {
    for (const pretty of [false, true]) {
      const destination = new PassThrough({ encoding: 'utf8' });
      const log = createLog({ level: 'info', pretty, linesPerMinute: null }, destination);
      log.info({ client: '\u001b[31mred \u009b2J \u202e over' }, 'a');
      const [line = ''] = await once(destination, 'data');
      expect(line).not.toMatch(/(?!\n)\p{Cc}|\p{Cf}/u);
      expect(line).toContain('\\u009b2J');
    }
  });
});

describe('the log', () => {
  test('has one JSON object per line, from its level on', () => {
    const { log, lines } = logTo({ level: 'warn' });
    log.info('not this');
    log.warn({ appId: 'app-1' }, 'but this');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ level: 40, appId: 'app-1', msg: 'but this' }),
    ]);
  });

  test('masks what is secret by its name, at the top and in fields', () => {
    const { log, lines } = logTo();
    log.info(
      { secret: 'hush', app: { keys: { secret: 'hush' } }, request: { auth: 'hush', key: 'key-1' } },
      'a',
    );
    expect(lines.join()).not.toContain('hush');
    expect(JSON.parse(lines.join())).toMatchObject({
      secret: '********',
      app: { keys: { secret: '********' } },
      request: { auth: '********', key: 'key-1' },
    });
  });
});
