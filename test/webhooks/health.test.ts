import { expect, test } from 'vitest';
import { Latencies } from '#server/webhooks/health/latencies';

test('a quantile is in the class of the time that it stands for', () => {
  const latencies = new Latencies();
  expect(latencies.quantile(0.5)).toBeNull();
  for (let n = 0; n < 94; n += 1) latencies.add(30);
  for (let n = 0; n < 6; n += 1) latencies.add(3600);
  expect(latencies.quantile(0.5)).toBeGreaterThan(20);
  expect(latencies.quantile(0.5)).toBeLessThanOrEqual(35);
  expect(latencies.quantile(0.95)).toBeGreaterThan(3000);
  expect(latencies.quantile(1)).toBe(4000);
  latencies.add(60_000);
  expect(latencies.quantile(1)).toBe(4000);
});
