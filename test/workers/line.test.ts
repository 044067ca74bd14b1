/** What connects the parent and a worker, between two real sockets. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Rpc } from '#server/workers/rpc';

/** Something to call. */
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

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [far] = await once(server, 'connection');
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return [near, far];
}

async function lineTo(far: object, onFault: (error: unknown, call: string) => void = () => {}) {
  const [a, b] = await socketPair();
  return { line: new Rpc<Far>(a, {}, () => {}), other: new Rpc<object>(b, far, onFault) };
}

test('a question is answered by its method', async () => {
  const { line } = await lineTo(new Far());
  expect(await Promise.all([line.call('add', [1, 2]), line.call('add', [3, 4])])).toEqual([3, 7]);
});

test('calls arrive in their order, whole, whatever their size', async () => {
  const far = new Far();
  const { line } = await lineTo(far);
  const texts = Array.from({ length: 200 }, (_, n) => `${n}:${'é🚀'.repeat(n * n)}`);
  for (const text of texts) line.notify('hear', [text]);
  await line.call('add', [0, 0]);
  expect(far.heard).toEqual(texts);
});

test('what a method throws is thrown at who asked, and told where nobody did', async () => {
  const faults: unknown[] = [];
  const { line } = await lineTo(new Far(), (error, call) => faults.push([call, String(error)]));
  await expect(line.call('fail', [])).rejects.toMatchObject({ message: 'no', code: 'ENO', syscall: 'try' });
  line.notify('fail', []);
  await line.call('add', [0, 0]);
  expect(faults).toEqual([['fail', 'Error: no']]);
});

test('an answer that does not come in time is an error, and is told when it comes', async () => {
  const { line } = await lineTo(new Far());
  const late: string[] = [];
  const wait = { timeoutMs: 1, late: (answer: string) => late.push(answer) };
  await expect(line.call('wait', ['at last'], wait)).rejects.toThrow('does not answer');
  await line.call('release', []);
  await line.call('add', [0, 0]);
  expect(late).toEqual(['at last']);
});

test('who waits is told when the other end is gone', async () => {
  const { line, other } = await lineTo(new Far());
  const waiting = line.call('wait', ['never']);
  other.destroy();
  await expect(waiting).rejects.toThrow('has ended');
  await line.ended;
  await expect(line.call('add', [1, 2])).rejects.toThrow('has ended');
});

test('what was said before the end is heard', async () => {
  const far = new Far();
  const { line, other } = await lineTo(far);
  line.notify('hear', ['last words']);
  line.end();
  await other.ended;
  expect(far.heard).toEqual(['last words']);
});

test('an end that does not read is given up', async () => {
  const [a, b] = await socketPair();
  const line = new Rpc<Far>(a, {}, () => {});
  b.pause();
  const text = 'x'.repeat(1_000_000);
  for (let n = 0; n < 100; n += 1) line.notify('hear', [text]);
  await line.ended;
});
