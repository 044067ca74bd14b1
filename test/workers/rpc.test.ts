/** Calls between two processes, over two real sockets. */
import { expect, test } from 'vitest';
import { remote } from '#server/workers/rpc/remote';
import { Rpc } from '#server/workers/rpc/rpc';
import { socketPair } from '../helpers/socket-pair.ts';

/** A capability of the other end. */
class Far {
  readonly heard: string[] = [];
  #release = (): void => {};

  add(a: number, b: number): number {
    return a + b;
  }

  hear(text: string): void {
    this.heard.push(text);
  }

  fail(): never {
    throw Object.assign(new Error('no'), { code: 'ENO', syscall: 'try' });
  }

  /** Answers once {@link release} is called. */
  wait(answer: string): Promise<string> {
    return new Promise((resolve) => {
      this.#release = () => resolve(answer);
    });
  }

  release(): void {
    this.#release();
  }
}

interface Exposed {
  readonly far: Far;
}

async function rpcTo(far: Far, onFault: (error: unknown, call: string) => void = () => {}) {
  const [a, b] = await socketPair();
  return { rpc: new Rpc<Exposed>(a, {}, () => {}), other: new Rpc<object>(b, { far }, onFault) };
}

test('a call is answered by its method', async () => {
  const { rpc } = await rpcTo(new Far());
  expect(await Promise.all([rpc.call('far', 'add', [1, 2]), rpc.call('far', 'add', [3, 4])])).toEqual([3, 7]);
});

test('a remote capability is called as if it were here, and survives an await', async () => {
  const { rpc } = await rpcTo(new Far());
  const far = await Promise.resolve(remote(rpc, 'far'));
  expect(await far.add(1, 2)).toBe(3);
  await expect(far.fail()).rejects.toThrow('no');
});

test.each([
  ['far', 'missing'],
  ['far', 'constructor'],
  ['far', 'toString'],
  ['far', '__proto__'],
  ['far', 'heard'],
  ['other', 'add'],
  ['constructor', 'add'],
  ['__proto__', 'toString'],
])('%s.%s is refused, because it is not exposed', async (capability, method) => {
  const { rpc } = await rpcTo(new Far());
  const call: Promise<unknown> = Reflect.apply(rpc.call, rpc, [capability, method, []]);
  await expect(call).rejects.toThrow(`No method "${capability}.${method}" is exposed`);
});

test('calls arrive in their order, whole, whatever their size', async () => {
  const far = new Far();
  const { rpc } = await rpcTo(far);
  const texts = Array.from({ length: 200 }, (_, n) => `${n}:${'é🚀'.repeat(n * n)}`);
  for (const text of texts) rpc.notify('far', 'hear', [text]);
  await rpc.call('far', 'add', [0, 0]);
  expect(far.heard).toEqual(texts);
});

test('an error of a method rejects the call, and is reported where no caller waits', async () => {
  const faults: unknown[] = [];
  const { rpc } = await rpcTo(new Far(), (error, call) => faults.push([call, String(error)]));
  await expect(rpc.call('far', 'fail', [])).rejects.toMatchObject({
    message: 'no',
    code: 'ENO',
    syscall: 'try',
  });
  rpc.notify('far', 'fail', []);
  await rpc.call('far', 'add', [0, 0]);
  expect(faults).toEqual([['far.fail', 'Error: no']]);
});

test('an answer after the time-out is an error, and is handed over when it comes', async () => {
  const { rpc } = await rpcTo(new Far());
  const late: string[] = [];
  const options = { timeoutMs: 1, onLateAnswer: (answer: string) => late.push(answer) };
  await expect(rpc.call('far', 'wait', ['at last'], options)).rejects.toThrow('does not answer');
  await rpc.call('far', 'release', []);
  await rpc.call('far', 'add', [0, 0]);
  expect(late).toEqual(['at last']);
});

test('calls are rejected when the other end is gone', async () => {
  const { rpc, other } = await rpcTo(new Far());
  const waiting = rpc.call('far', 'wait', ['never']);
  other.destroy();
  await expect(waiting).rejects.toThrow('has ended');
  await rpc.ended;
  await expect(rpc.call('far', 'add', [1, 2])).rejects.toThrow('has ended');
});

test('calls that were made before the end arrive', async () => {
  const far = new Far();
  const { rpc, other } = await rpcTo(far);
  rpc.notify('far', 'hear', ['last words']);
  rpc.end();
  await other.ended;
  expect(far.heard).toEqual(['last words']);
});

test('the connection to an end that does not read is closed', async () => {
  const [a, b] = await socketPair();
  const rpc = new Rpc<Exposed>(a, {}, () => {});
  b.pause();
  const text = 'x'.repeat(1_000_000);
  for (let n = 0; n < 100; n += 1) rpc.notify('far', 'hear', [text]);
  await rpc.ended;
});
