import { MemoryAdapter } from '@countersign/server';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { Store } from '#server/store/store';
import { newFolder } from '../helpers/folder.ts';
import { historyContract } from './history.contract.ts';
import { BOUNDS } from './outbox.contract.ts';

historyContract('memory with a data directory', async () => {
  let now = 1_700_000_000_000;
  const store = await Store.open({
    directory: newFolder(),
    bounds: BOUNDS,
    now: () => now,
    log: pino({ level: 'silent' }),
  });
  onTestFinished(() => store.close());
  const adapter = new MemoryAdapter({
    now: () => now,
    monotonic: () => now,
    history: {
      boundOf: () => Infinity,
      bytes: Infinity,
      countsOf: () => ({ events: 0, bytes: 0, evicted: 0 }),
      durable: { store: store.history, isDurable: () => true, onWritten: () => {} },
    },
  });
  await adapter.load();
  return {
    adapter,
    advance(milliseconds: number) {
      now += milliseconds;
    },
  };
});
