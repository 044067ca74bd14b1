import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { readSamples } from '../helpers/metrics.ts';

describe('what cache channels keep', () => {
  async function startKeeping(settings: Parameters<typeof startServer>[0]) {
    const broker = await startServer(settings);
    const kept = async (channel: string) => {
      const { body } = await request(broker, 'GET', `/channels/${channel}`, { query: { info: 'cache' } });
      return (body as { cache: { data: string } | null }).cache?.data;
    };
    return { broker, kept };
  }

  test('is bounded in events: the oldest one is forgotten', async () => {
    const { broker, kept } = await startKeeping({ limits: { keptEvents: 2 } });
    for (const name of ['a', 'b', 'a', 'c']) await publish(broker, `cache-${name}`, 'e', name);
    expect([await kept('cache-a'), await kept('cache-b'), await kept('cache-c')]).toEqual([
      'a',
      undefined,
      'c',
    ]);
    const samples = await readSamples(broker.metricsUrl!);
    expect(samples.get('countersign_bounds_reached_total{bound="kept_events"}')).toBe(1);
  });

  test('is bounded in bytes', async () => {
    const { broker, kept } = await startKeeping({ limits: { keptBytes: 2500 } });
    for (const name of ['a', 'b', 'c']) await publish(broker, `cache-${name}`, 'e', name.repeat(1000));
    expect([await kept('cache-a'), (await kept('cache-b'))?.length, (await kept('cache-c'))?.length]).toEqual(
      [undefined, 1000, 1000],
    );
  });
});
