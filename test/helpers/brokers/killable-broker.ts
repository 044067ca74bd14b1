import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Broker } from '@countersign/server';
import { onTestFinished } from 'vitest';

/** A broker in a process of its own, which can die. */
export class MortalBroker {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(
    child: ChildProcess,
    readonly broker: Broker,
  ) {
    this.#process = child;
    this.#ended = once(child, 'exit');
  }

  /** @param env what its environment has beside the usual */
  static async start(config: object, env: Readonly<Record<string, string>> = {}): Promise<MortalBroker> {
    const child = fork(
      fileURLToPath(new URL('killable-broker.js', import.meta.url)),
      [JSON.stringify(config)],
      {
        execArgv: [],
        env: { ...process.env, ...env },
      },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    const [message] = await once(child, 'message');
    return new MortalBroker(child, message);
  }

  /** Has it end itself at the next such step. */
  async dieAt(step: string): Promise<void> {
    this.#process.send(step);
    await once(this.#process, 'message');
  }

  /** Ends it, and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.#process.kill(signal);
    await this.ended();
  }

  async ended(): Promise<void> {
    await this.#ended;
  }
}
