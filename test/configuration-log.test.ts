import { describe, expect, test } from 'vitest';
import { createLog } from '../server/dist/ops/log.js';

function logTo(settings: Partial<Parameters<typeof createLog>[0]> = {}) {
  const lines: string[] = [];
  const log = createLog(
    { level: 'info', pretty: false, linesPerMinute: 60, ...settings },
    { write: (line) => lines.push(line) },
  );
  return { log, lines };
}

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
