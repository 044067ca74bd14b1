import { MemoryAdapter } from '@countersign/server';
import { afterAll } from 'vitest';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { ForkedParent } from '../helpers/brokers/forked-parent.ts';
import { adapterContract } from './adapter.contract.ts';
import { historyContract } from './history.contract.ts';
import { idempotencyContract } from './idempotency.contract.ts';

function memory() {
  let now = 1_700_000_000_000;
  const adapter = new MemoryAdapter({ now: () => now, monotonic: () => now });
  return {
    adapter,
    advance(milliseconds: number) {
      now += milliseconds;
    },
  };
}

adapterContract('memory', memory);
adapterContract('memory behind random delays', () => {
  const subject = memory();
  return { ...subject, adapter: new DelayedAdapter(subject.adapter) };
});

const parent = new ForkedParent();
afterAll(() => parent.kill());
adapterContract('a worker', async () => ({
  adapter: await parent.connect(),
  advance: (milliseconds) => parent.advance(milliseconds),
}));

historyContract('memory', memory);
historyContract('memory behind random delays', () => {
  const subject = memory();
  return { ...subject, adapter: new DelayedAdapter(subject.adapter) };
});
historyContract('a worker', async () => ({
  adapter: await parent.connect(),
  advance: (milliseconds) => parent.advance(milliseconds),
}));

idempotencyContract('memory', memory);
idempotencyContract('memory behind random delays', () => {
  const subject = memory();
  return { ...subject, adapter: new DelayedAdapter(subject.adapter) };
});
idempotencyContract('a worker', async () => ({
  adapter: await parent.connect(),
  advance: (milliseconds) => parent.advance(milliseconds),
}));
