import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test, vi } from 'vitest';
import { AdmissionQueue } from '#server/socket/handshakes/admission-queue';
import { request } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect, open } from '../helpers/clients/client.ts';

const [APP_ONE, APP_TWO] = [{}, {}];
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('clients that connect at once', () => {
  test('are admitted a slice at a time, in the order of their arrival', async () => {
    const queue = new AdmissionQueue();
    const admitted: number[] = [];
    for (let index = 0; index < 120; index += 1) queue.enter(APP_ONE, () => admitted.push(index));
    expect(admitted).toHaveLength(0);
    const counts: number[] = [];
    while (admitted.length < 120) {
      await nextTurn();
      counts.push(admitted.length);
    }
    expect(counts).toEqual([20, 40, 60, 80, 100, 120]);
    expect(admitted).toEqual(Array.from({ length: 120 }, (_, index) => index));
  });

  test('are refused while ten thousand wait, and admitted again when there is room', async () => {
    const queue = new AdmissionQueue();
    const admit = vi.fn();
    const entered = Array.from({ length: 10_001 }, () => queue.enter(APP_ONE, admit));
    expect(entered.indexOf(false)).toBe(10_000);
    // The clients of another app, and those who name none, do not pay for it.
    expect(queue.enter(APP_TWO, admit)).toBe(true);
    expect(queue.enter(undefined, admit)).toBe(true);
    await nextTurn();
    expect(queue.enter(APP_ONE, admit)).toBe(true);
  });

  test('are forgotten once they are admitted, also while others always wait', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const queue = new AdmissionQueue();
    const enter = (): WeakRef<() => void> => {
      const admit = () => {};
      queue.enter(APP_ONE, admit);
      return new WeakRef(admit);
    };
    const first = Array.from({ length: 100 }, enter);
    for (let turn = 0; turn < 20; turn += 1) {
      for (let index = 0; index < 20; index += 1) enter();
      await nextTurn();
    }
    collect();
    expect(first.filter((admit) => admit.deref() !== undefined)).toEqual([]);
  });

  test('of several apps take turns, however many of one came before', async () => {
    const queue = new AdmissionQueue();
    const admitted: string[] = [];
    for (let index = 0; index < 1000; index += 1) queue.enter(APP_ONE, () => admitted.push('one'));
    for (let index = 0; index < 3; index += 1) queue.enter(APP_TWO, () => admitted.push('two'));
    await nextTurn();
    expect(admitted.slice(0, 7)).toEqual(['one', 'two', 'one', 'two', 'one', 'two', 'one']);
  });

  test('leave the heartbeats and requests of the others their turn', { timeout: 60_000 }, async () => {
    const broker = await startServer();
    const present = await connect(broker);
    // The connection of this request is kept, so that the next one does not wait to be accepted.
    await request(broker, 'GET', '/channels');
    const order: string[] = [];
    const storm = Array.from({ length: 1500 }, async () => {
      await open(broker).established(50_000);
      order.push('established');
    });
    await Promise.race(storm);
    present.send({ event: 'pusher:ping', data: {} });
    await Promise.all([
      present.next(20_000).then(() => order.push('pong')),
      request(broker, 'GET', '/channels').then(() => order.push('answer')),
    ]);
    await Promise.all(storm);
    expect(order.indexOf('pong')).toBeLessThan(order.lastIndexOf('established'));
    expect(order.indexOf('answer')).toBeLessThan(order.lastIndexOf('established'));
  });
});
