import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { DEADLINE_MS } from '../deadline.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const CLI = fileURLToPath(new URL('../../../server/dist/cli/main.js', import.meta.url));
/** What makes a process, and its workers, end with the process of the test. */
export const LEASH = ['--import', new URL('end-with-parent.js', import.meta.url).href] as const;
/** Milliseconds that a process has for what it is waited for, also on a busy machine. */

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The folder in which it runs. */
  readonly cwd?: string;
  /** Flags of node itself. */
  readonly nodeFlags?: readonly string[];
}

/** What a command that ended has left. */
export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running `countersign`. */
export class Cli {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #notes: string[] = [];
  readonly #ended: Promise<CliResult>;
  #stdout = '';
  #stderr = '';
  #look: () => void = () => {};
  #lookAtNotes: () => void = () => {};

  constructor(args: readonly string[], { env = {}, cwd = ROOT, nodeFlags = [] }: CliOptions = {}) {
    const child = spawn(process.execPath, [...LEASH, ...nodeFlags, CLI, ...args], {
      cwd,
      // A cold one starts sooner.
      env: { PATH: process.env['PATH'], COUNTERSIGN_WARM_UP_SECONDS: '0', ...env },
      stdio: 'pipe',
    });
    this.#process = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#lines.push(line);
      this.#look();
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#notes.push(line);
      this.#lookAtNotes();
    });
    this.#ended = once(child, 'close').then(([code, signal]) => {
      this.#look();
      return { code, signal, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  /** What was written to standard output so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** The first line on standard output that holds the text, whether it was written before or is written later. */
  line(text: string): Promise<string> {
    const found = new Promise<string>((resolve) => {
      this.#look = () => {
        const line = this.#lines.find((candidate) => candidate.includes(text));
        if (line !== undefined) resolve(line);
      };
      this.#look();
    });
    return this.#before(found, `a line with ${JSON.stringify(text)}`);
  }

  /** Waits until a line on standard error holds the text. */
  noted(text: string): Promise<void> {
    const found = new Promise<void>((resolve) => {
      this.#lookAtNotes = () => {
        if (this.#notes.some((line) => line.includes(text))) resolve();
      };
      this.#lookAtNotes();
    });
    return this.#before(found, `a note with ${JSON.stringify(text)}`);
  }

  /** The fields of the first log line with this message. */
  async logged(message: string): Promise<Record<string, unknown>> {
    return JSON.parse(await this.line(`"msg":"${message}"`));
  }

  /** How many log lines with this message were written so far. */
  count(message: string): number {
    return this.#lines.filter((line) => line.includes(`"msg":"${message}"`)).length;
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  result(): Promise<CliResult> {
    return this.#before(this.#ended, 'its end');
  }

  /** Ends the process if it still runs. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  #before<T>(outcome: Promise<T>, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`countersign has not reached ${what}:\n${this.#stdout}${this.#stderr}`));
      }, DEADLINE_MS);
      outcome.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }
}

/** Starts `countersign`; what still runs at the end of the test is killed. */
export function startCli(args: readonly string[], options?: CliOptions): Cli {
  const cli = new Cli(args, options);
  onTestFinished(() => cli.kill());
  return cli;
}

/** Runs a command to its end. */
export function runCli(args: readonly string[], options?: CliOptions): Promise<CliResult> {
  return startCli(args, options).result();
}
