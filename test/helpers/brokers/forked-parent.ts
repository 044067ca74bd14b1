import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Adapter, BusListener } from '#server/adapter/adapter';
import { NOTHING_DONE } from '#server/adapter/questions';
import type { ParentApi } from '#server/workers/protocol';
import { unpackEvent } from '#server/workers/rpc/packed-event';
import { Rpc } from '#server/workers/rpc/rpc';
import { WorkerAdapter } from '#server/workers/worker/worker-adapter';

const PARENT = fileURLToPath(new URL('parent.js', import.meta.url));

/** A process that is the parent of workers, to which the test connects as one. */
export class ForkedParent {
  readonly #process: ChildProcess = fork(PARENT);
  readonly #port: Promise<unknown> = this.#answer();

  /** The adapter of the one worker of a new core. */
  async connect(): Promise<Adapter> {
    const stream = connect(Number(await this.#port), '127.0.0.1');
    const listener: BusListener = {
      deliver: (message) => adapter.listener?.deliver(message),
      obey: (command) => adapter.listener?.obey(command),
      missed: async (missed) => adapter.listener?.missed(missed),
      answer: async (question) => (await adapter.listener?.answer(question)) ?? NOTHING_DONE,
      proveAgain: () => adapter.listener?.proveAgain(),
    };
    const onFault = (error: unknown) => {
      throw error;
    };
    const rpc = new Rpc<ParentApi>(stream, { listener }, onFault, (bytes) =>
      listener.deliver(unpackEvent(bytes)),
    );
    const adapter = new WorkerAdapter(rpc, { has: () => true });
    return adapter;
  }

  /** Moves its clock on. */
  async advance(milliseconds: number): Promise<void> {
    const moved = this.#answer();
    this.#process.send(milliseconds);
    await moved;
  }

  /** Stops it from answering, until it is continued. */
  pause(): void {
    this.#process.kill('SIGSTOP');
  }

  continue(): void {
    this.#process.kill('SIGCONT');
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  async #answer(): Promise<unknown> {
    const [answer] = await once(this.#process, 'message');
    return answer;
  }
}
