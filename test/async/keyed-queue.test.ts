import { describe, expect, test } from 'vitest';
import { KeyedQueue } from '#server/async/keyed-queue';

/** A queue, the names of the steps that have begun, and a way to end each of them. */
function startQueue() {
  const queue = new KeyedQueue<string>();
  const begun: string[] = [];
  const step = (name: string) => {
    let end!: () => void;
    let fail!: () => void;
    const ended = new Promise<string>((resolve, reject) => {
      end = () => resolve(name);
      fail = () => reject(new Error(name));
    });
    const run = () => {
      begun.push(name);
      return ended;
    };
    return { run, end, fail };
  };
  return { queue, begun, step };
}

describe('a keyed queue', () => {
  test('runs the first step of a key at once', () => {
    const { queue, begun, step } = startQueue();
    void queue.run('a', step('first').run);
    expect(begun).toEqual(['first']);
  });

  test('runs the next step of a key when the one before has ended', async () => {
    const { queue, begun, step } = startQueue();
    const [first, second] = [step('first'), step('second')];
    const running = [queue.run('a', first.run), queue.run('a', second.run)];
    expect(begun).toEqual(['first']);
    first.end();
    second.end();
    expect(await Promise.all(running)).toEqual(['first', 'second']);
    expect(begun).toEqual(['first', 'second']);
  });

  test('runs steps of different keys side by side', () => {
    const { queue, begun, step } = startQueue();
    void queue.run('a', step('a').run);
    void queue.run('b', step('b').run);
    expect(begun).toEqual(['a', 'b']);
    expect([...queue.keys()]).toEqual(['a', 'b']);
  });

  test('rejects for the caller of a failed step, and runs the next one', async () => {
    const { queue, step } = startQueue();
    const [first, second] = [step('first'), step('second')];
    const failed = expect(queue.run('a', first.run)).rejects.toThrow('first');
    const next = queue.run('a', second.run);
    first.fail();
    second.end();
    await failed;
    expect(await next).toBe('second');
  });

  test('forgets a key once its last step has ended', async () => {
    const { queue, step } = startQueue();
    const only = step('only');
    const running = queue.run('a', only.run);
    expect(queue.has('a')).toBe(true);
    only.end();
    await running;
    await Promise.resolve();
    expect(queue.has('a')).toBe(false);
    expect([...queue.keys()]).toEqual([]);
  });
});
