import { MemoryAdapter } from '@countersign/server';
import { expect, test } from 'vitest';
import { NO_JOURNAL } from '#server/adapter/journal';
import { NOTHING_DONE, type NodeAnswer, type Question } from '#server/adapter/questions';
import { ReachedQuestions } from '#server/hub/replay/reached-questions';

const MOST = 10_000;
const OF_ONE_QUESTION = 1000;

test('a crowd beyond the bound is not asked about, and the bound is told once', async () => {
  const adapter = new MemoryAdapter();
  let goOn = () => {};
  const hanging = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const asked: number[] = [];
  const answer = async (question: Question): Promise<NodeAnswer> => {
    if (question.kind !== 'reached') return NOTHING_DONE;
    asked.push(question.connections.length);
    await hanging;
    return { ...NOTHING_DONE, reached: question.connections.map((each) => ({ ...each, position: 'p' })) };
  };
  const listener = { deliver() {}, obey() {}, missed: async () => {}, proveAgain() {}, lapsed() {}, answer };
  adapter.attach(listener, NO_JOURNAL);
  let told = 0;
  const questions = new ReachedQuestions(adapter, () => {
    told += 1;
  });
  const ask = (n: number) => questions.ask({ appId: 'app', channel: 'news', socketId: `1.${n}` });
  const first = ask(0);
  await expect.poll(() => asked).toEqual([1]);
  const waiting = Array.from({ length: MOST }, (_, n) => ask(n + 1));
  for (let n = 0; n < 3; n += 1) expect(await ask(-n)).toBeUndefined();
  expect(told).toBe(1);
  goOn();
  for (const each of await Promise.all([first, ...waiting])) expect(each).toMatchObject({ position: 'p' });
  expect(asked).toEqual([1, ...Array(MOST / OF_ONE_QUESTION).fill(OF_ONE_QUESTION)]);
  await adapter.close();
});
