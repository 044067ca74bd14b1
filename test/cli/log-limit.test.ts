import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLog } from '#server/log/log';

describe('lines of one kind', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  function logTo(linesPerMinute: number | null, level: 'debug' | 'info' = 'info') {
    const lines: Record<string, unknown>[] = [];
    const write = (line: string) => void lines.push(JSON.parse(line));
    return { log: createLog({ level, pretty: false, linesPerMinute }, { write }), lines };
  }
  const refuse = (log: ReturnType<typeof createLog>, appId: string, times: number) => {
    for (let count = 0; count < times; count += 1)
      log.info({ appId, status: 401, path: '/x' }, 'request refused');
  };

  test('are bounded per minute, and one more says how many there were', () => {
    const { log, lines } = logTo(3);
    refuse(log, 'app-1', 10);
    expect(lines).toHaveLength(3);
    vi.advanceTimersByTime(60_000);
    expect(lines[3]).toMatchObject({
      msg: 'log lines suppressed',
      line: 'request refused',
      suppressed: 7,
      appId: 'app-1',
      status: 401,
    });
    refuse(log, 'app-1', 1);
    expect(lines).toHaveLength(5);
  });

  test('leave room for those of another app, cause or text', () => {
    const { log, lines } = logTo(1);
    refuse(log.child({ worker: 1 }), 'app-1', 5);
    refuse(log, 'app-2', 5);
    log.info({ appId: 'app-1', status: 404 }, 'request refused');
    log.info('listening');
    expect(lines).toHaveLength(4);
  });

  test('are all written where somebody looks closely, at the end of the process, and without a limit', () => {
    const close = logTo(1, 'debug');
    for (let count = 0; count < 5; count += 1) close.log.debug('connected');
    for (let count = 0; count < 2; count += 1) close.log.fatal('unhandled error');
    expect(close.lines).toHaveLength(7);
    const { log, lines } = logTo(null);
    refuse(log, 'app-1', 500);
    expect(lines).toHaveLength(500);
  });

  test('hold no more of a text from outside than a thousand characters', () => {
    const { log, lines } = logTo(60);
    log.info({ channel: 'x'.repeat(70_000), err: new Error('y'.repeat(70_000)) }, 'subscription refused');
    expect(JSON.stringify(lines).length).toBeLessThan(10_000);
    expect(lines[0]).toMatchObject({ channel: `${'x'.repeat(1000)}…` });
  });
});
