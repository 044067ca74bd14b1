/** `npm run bench:coalesce`: what an event costs the broker where the server SDK gathers what is triggered in one turn. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Countersign } from '@countersign/sdk-server';
import { HOST, Machine } from './machine.ts';
import { replaceBetween } from './page.ts';

const APP = { appId: 'app-id', key: 'app-key', secret: 'bench-8f3c1d7a52e94b60' };
const PAGE = new URL('../../../docs/performance.md', import.meta.url);
/** Events that are triggered in one turn; 1: each is a request of its own. */
const SIZES = [1, 10, 100];
const [WARM_UP_EVENTS, EVENTS, ROUNDS] = [10_000, 20_000, 5];
/** Single requests that wait for their answers at a time. A turn waits for all of its answers, so that no two of them mix. */
const IN_FLIGHT = 16;
const data = { filler: 'x'.repeat(80) };

const results = new Map<number, number[]>(SIZES.map((size) => [size, []]));
const machine = await Machine.start({ name: 'one broker' });
try {
  const port = machine.ports[0] ?? 0;
  for (const size of SIZES) await publish(port, size, WARM_UP_EVENTS);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const size of round % 2 === 0 ? SIZES : SIZES.toReversed()) {
      const before = machine.cpu().brokers;
      await publish(port, size, EVENTS);
      results.get(size)?.push(((machine.cpu().brokers - before) * 1e6) / EVENTS);
    }
  }
} finally {
  await machine.stop();
}

const single = results.get(1) ?? [];
const rows = [...results].map(([size, values]) => {
  const ratios = values.map((value, round) => value / (single[round] ?? Number.NaN));
  return `| ${size} | ${median(values).toFixed(1)} | ${median(ratios).toFixed(3)} |`;
});
const table = [
  '| events triggered in a turn | CPU us / event | to one of its own request |',
  '| --- | --- | --- |',
  ...rows,
].join('\n');
const text = `Node ${process.version}, ${EVENTS.toLocaleString('en')} events, medians of ${ROUNDS} rounds.\n\n${table}`;
process.stdout.write(`${text}\n`);
if (process.argv.includes('--write')) {
  writeFileSync(PAGE, replaceBetween(readFileSync(PAGE, 'utf8'), 'coalesce', text));
}

async function publish(port: number, size: number, events: number): Promise<void> {
  const countersign = new Countersign({ ...APP, host: HOST, port, coalesce: size > 1 });
  let left = events;
  const turns = Array.from({ length: size === 1 ? IN_FLIGHT : 1 }, async () => {
    while (left > 0) {
      left -= size;
      await Promise.all(
        Array.from({ length: size }, (_, n) => countersign.trigger(`bench-${n}`, 'event', data)),
      );
    }
  });
  await Promise.all(turns);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
