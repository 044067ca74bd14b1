import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { OutageLog } from '#server/log/outage-log';
import { recordLog } from '../helpers/log.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

function startOutages() {
  const { log, lines } = recordLog();
  const outages = new OutageLog(log, 'fails', 'works again');
  return { outages, messages: () => lines.map(({ msg }) => msg) };
}

test('an operation that fails now and then is one outage until it has worked for a second', () => {
  const { outages, messages } = startOutages();
  for (let write = 0; write < 100; write += 1) {
    outages.failed(new Error('disk full'));
    vi.advanceTimersByTime(999);
    outages.succeeded();
  }
  expect(messages()).toEqual(['fails']);
  vi.advanceTimersByTime(1);
  outages.succeeded();
  expect(messages()).toEqual(['fails', 'works again']);
});

test('an outage ends after a second without a failure although nothing more is done', () => {
  const { outages, messages } = startOutages();
  outages.failed(new Error('disk full'));
  vi.advanceTimersByTime(999);
  expect(outages.succeeded()).toBe(false);
  expect(messages()).toEqual(['fails']);
  vi.advanceTimersByTime(1);
  expect(messages()).toEqual(['fails', 'works again']);
  expect(outages.succeeded()).toBe(true);
});

test('the next outage is logged as well', () => {
  const { outages, messages } = startOutages();
  for (let outage = 0; outage < 2; outage += 1) {
    outages.failed(new Error('disk full'));
    vi.advanceTimersByTime(1000);
    outages.succeeded();
  }
  expect(messages()).toEqual(['fails', 'works again', 'fails', 'works again']);
});

test('an operation that works is not logged', () => {
  const { outages, messages } = startOutages();
  outages.succeeded();
  expect(messages()).toEqual([]);
});
