/** The programs in the documentation: blocks with the name of a file on their fence, run as a reader would run them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';
import { Inbox } from './clients/event-inbox.ts';

const DOCS = new URL('../../docs/', import.meta.url);
/** Below it, the packages resolve as they do for a reader who installed them. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url));

/** The blocks of a page by the names on their fences. */
export function snippetsOf(page: string): ReadonlyMap<string, string> {
  const text = readFileSync(new URL(page, DOCS), 'utf8');
  const blocks = [...text.matchAll(/^```\w+ (\S+)\n([\s\S]*?)^```$/gm)];
  return new Map(blocks.map(([, name = '', code = '']) => [name, code]));
}

/** A folder that imports packages as a reader does; it is gone when the test has ended. */
export function readersFolder(): string {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'snippets-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  return folder;
}

/** A program that runs until the test has ended. */
export class Program {
  /** What it prints, line by line. */
  readonly lines = new Inbox<string>('a line of the program');
  readonly #child: ChildProcess;
  #errors = '';

  constructor(command: string, args: readonly string[], options: { cwd?: string; env?: object } = {}) {
    this.#child = spawn(command, args, {
      cwd: options.cwd,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    createInterface(this.#child.stdout!).on('line', this.lines.put);
    onTestFinished(async () => {
      this.#child.kill('SIGKILL');
      await this.#ended();
    });
  }

  /** Waits for its end, which has to be a success. */
  async succeeded(): Promise<void> {
    await this.#ended();
    expect({ code: this.#child.exitCode, errors: this.#child.exitCode === 0 ? '' : this.#errors }).toEqual({
      code: 0,
      errors: '',
    });
  }

  async #ended(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }
}
