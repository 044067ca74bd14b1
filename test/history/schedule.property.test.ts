import { type Adapter, type Broker, MemoryAdapter } from '@countersign/server';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { numRuns, PROPERTY_TIMEOUT_MS } from '../helpers/property.ts';
import { Reader } from './reader.ts';

const READERS = 3;
const MESSAGES = 8;

type Command =
  | { readonly do: 'publish' | 'purge' }
  | { readonly do: 'resume' | 'cut' | 'unsubscribe'; readonly who: number }
  | { readonly do: 'wait'; readonly turns: number };

const who = fc.nat(READERS - 1);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('publish') }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('resume'), who }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('cut'), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('unsubscribe'), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('purge') }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait'), turns: fc.integer({ min: 1, max: 20 }) }) },
);

async function run(server: Broker, channel: string, commands: readonly Command[]): Promise<void> {
  const readers = Array.from({ length: READERS }, () => new Reader());
  const pending: Promise<unknown>[] = [];
  let published = 0;
  const resume = (reader: Reader) => reader.resume(server, channel);
  for (const each of commands) {
    switch (each.do) {
      case 'publish':
        // One after the other, so that the order in which they are published is that of their ids.
        await publish(server, channel, 'e', String(published));
        published += 1;
        break;
      case 'purge':
        pending.push(request(server, 'DELETE', `/channels/${channel}/events`));
        break;
      case 'resume':
        await resume(readers[each.who]!);
        break;
      case 'cut':
        readers[each.who]!.cut();
        break;
      case 'unsubscribe':
        readers[each.who]!.unsubscribe(channel);
        break;
      case 'wait':
        for (let turn = 0; turn < each.turns; turn += 1) await new Promise((go) => setImmediate(go));
    }
  }
  await Promise.all(pending);
  for (const reader of readers) await resume(reader);
  for (const reader of readers) await reader.acknowledged();
  const last = String(published);
  await publish(server, channel, 'e', last);
  for (const reader of readers) {
    await reader.client?.until(
      (received) => typeof received === 'string' && JSON.parse(received).data === last,
    );
    expect(await reader.client?.nothing()).toEqual([]);
    expect(reader.run.at(-1)).toBe(last);
  }
  const ids = Array.from({ length: published + 1 }, (_, id) => String(id));
  for (const { runs, run } of readers) {
    const all = [...runs, run].filter((each) => each.length > 0);
    for (const each of all) {
      const from = ids.indexOf(each[0]!);
      expect(each, 'no gap, no double, in order').toEqual(ids.slice(from, from + each.length));
    }
    const got = all.flat();
    expect(new Set(got).size, 'nothing comes again').toBe(got.length);
  }
}

describe.each<[string, (random: () => number) => Adapter]>([
  ['in memory', () => new MemoryAdapter()],
  ['behind random delays', (random) => new DelayedAdapter(new MemoryAdapter(), random)],
])('any schedule %s', (_, makeAdapter) => {
  test(
    'of publishing, cutting, resuming and purging leaves no gap that a client is not told of, and nothing twice',
    async () => {
      const adapter = makeAdapter(Math.random);
      const limits = { framesPerSecond: 10_000, httpRequestsPerSecond: null };
      const server = await startServer({
        app: { limits, history: [{ channels: '*', seconds: 60, messages: MESSAGES }] },
        parts: { adapter },
      });
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 60 }), async (commands) => {
          runs += 1;
          await run(server, `news-${runs}`, commands);
        }),
        { numRuns: numRuns(60) },
      );
    },
    PROPERTY_TIMEOUT_MS,
  );
});
