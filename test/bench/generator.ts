import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onProcessor } from './contestants.ts';
import type { Result } from './scenarios.ts';

/** Seconds after which a run is given up. */
const RUN_LIMIT_SECONDS = 60;
const LOAD = fileURLToPath(new URL('../load/', import.meta.url));
const NODE_GENERATOR = fileURLToPath(new URL('node-generator.js', import.meta.url));

/** The process that plays the clients: the C one of load/, or one in Node where there is no compiler. */
export class Generator {
  private constructor(
    readonly name: string,
    readonly command: readonly string[],
    readonly directory: string,
  ) {}

  /** Builds the C generator into a temporary directory, if the machine can. */
  static create(): Generator {
    const directory = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
    const program = join(directory, 'wsload');
    const compiler = process.env['CC'] ?? 'cc';
    const { status } = spawnSync(compiler, ['-O2', '-o', program, join(LOAD, 'wsload.c')]);
    return status === 0
      ? new Generator('wsload', [program], directory)
      : new Generator('node', [process.execPath, NODE_GENERATOR], directory);
  }

  /** Runs one scenario, on the second processor if processes can be bound to one. */
  async run(options: readonly string[]): Promise<Result> {
    const [command = '', ...args] = onProcessor(1, [...this.command, ...options]);
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: RUN_LIMIT_SECONDS * 1000,
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const [code, signal] = await once(child, 'close');
    if (output === '') throw new Error(`The generator ended with ${signal ?? code} and said nothing`);
    return JSON.parse(output) as Result;
  }

  close(): void {
    rmSync(this.directory, { recursive: true });
  }
}
