/** The steps of the Dockerfile, run in a folder, and what its image would start. */
import { execFile } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Copy, DockerfileParser, type JSONInstruction } from 'dockerfile-ast';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startDeployed, writeConfig } from './deployed-broker.ts';
import { ROOT } from './programs.ts';

const run = promisify(execFile);
const dockerfile = DockerfileParser.parse(readFileSync(`${ROOT}deploy/Dockerfile`, 'utf8'));
/** Directories of the image, which here are in the folder of their stage. */
const IMAGE_PATH = /(?<![\w.])\/(?:src|opt|usr\/local\/bin|var\/lib)\b/g;
const SLOW_MS = 600_000;

const instructions = dockerfile.getInstructions();
const last = (keyword: string) => instructions.findLast((each) => each.getKeyword() === keyword)!;
const jsonOf = (keyword: string) =>
  (last(keyword) as JSONInstruction).getJSONStrings().map((each) => each.getJSONValue());

test('the image has no root, a check of its health, and a signal that drains it', () => {
  expect(last('USER').getArgumentsContent()).toBe('1000:1000');
  expect(last('STOPSIGNAL').getArgumentsContent()).toBe('SIGTERM');
  expect(last('HEALTHCHECK').getArgumentsContent()).toContain('/health');
  expect(dockerfile.getFROMs().map((from) => from.getImage())).toEqual([
    'node:24-bookworm-slim',
    'node:24-bookworm-slim',
    'node:24-bookworm-slim',
  ]);
});

describe('the steps', () => {
  test('make a broker that runs from a read-only folder and stops with 0', { timeout: SLOW_MS }, async () => {
    const root = mkdtempSync(join(tmpdir(), 'countersign-image-'));
    onTestFinished(() => rm(root, { recursive: true }), SLOW_MS);
    // For the user of the image, too.
    chmodSync(root, 0o755);
    const stages = await runSteps(root);
    const image = stages.at(-1)!;
    const inImage = (text: string) => text.replaceAll(IMAGE_PATH, (path) => image + path);

    const [command, ...args] = [...jsonOf('ENTRYPOINT'), ...jsonOf('CMD')].map(inImage);
    const config = writeConfig(image);
    const isRoot = process.getuid?.() === 0;
    const data = join(image, 'var/lib/countersign');
    expect(lstatSync(data).mode & 0o777).toBe(0o700);
    const broker = await startDeployed(command!, [...args.slice(0, -1), config], {
      cwd: join(image, 'opt/countersign'),
      env: { COUNTERSIGN_DATA: data },
      ...(isRoot && { uid: 1000 }),
    });
    const { port } = new URL(broker.url);

    const [, json = ''] = /CMD (\[.*\])$/.exec(last('HEALTHCHECK').getArgumentsContent()!) ?? [];
    const [check, ...checkArgs] = JSON.parse(json) as string[];
    const env = { PATH: process.env['PATH'], COUNTERSIGN_PORT: port };
    await run(check!, checkArgs, { env });
    expect(await broker.stop()).toBe(0);
    await expect(run(check!, checkArgs, { env })).rejects.toMatchObject({ code: 1 });
    expect(readdirSync(join(image, 'opt/countersign/node_modules'))).not.toContain('typescript');
  });
});

/** Runs each stage in a folder of its own. @returns the folders */
async function runSteps(root: string): Promise<string[]> {
  const stages: string[] = [];
  const names = new Map<string, string>();
  let directory = '';
  for (const instruction of instructions) {
    const stage = stages.at(-1) ?? '';
    const inStage = (path: string) => (path.startsWith('/') ? stage + path : resolve(directory, path));
    const words = instruction.getArguments().map((each) => each.getValue());
    switch (instruction.getKeyword()) {
      case 'FROM': {
        stages.push(join(root, `stage-${stages.length}`));
        if (words[1] === 'AS') names.set(words[2]!, stages.at(-1)!);
        break;
      }
      case 'WORKDIR':
        directory = inStage(words[0]!);
        mkdirSync(directory, { recursive: true });
        break;
      case 'COPY': {
        const from = (instruction as Copy).getFromFlag()?.getValue();
        const target = words.pop()!;
        for (const source of words) {
          if (from) copy(`${names.get(from)}/${source}`, inStage(target));
          else if (source === '.') await copyContext(inStage(target));
          else
            copy(join(ROOT, source), inStage(target) + (target.endsWith('/') ? `/${basename(source)}` : ''));
        }
        break;
      }
      case 'RUN': {
        const shell = instruction.getArgumentsContent()!.replaceAll(IMAGE_PATH, (path) => stage + path);
        for (const folder of ['usr/local/bin', 'var/lib'])
          mkdirSync(join(stage, folder), { recursive: true });
        const env = { ...process.env, npm_config_prefer_offline: 'true' };
        await run('sh', ['-ec', shell], { cwd: directory, env, maxBuffer: 2 ** 24 });
      }
    }
  }
  return stages;
}

/** Copies what is in the repository, without what .dockerignore names. */
async function copyContext(target: string): Promise<void> {
  const list = [
    'ls-files',
    '--cached',
    '--others',
    '--exclude-standard',
    '--',
    '.',
    ':!test',
    ':!docs',
    ':!deploy',
  ];
  const { stdout } = await run('git', list, { cwd: ROOT });
  for (const file of stdout.trim().split('\n')) copy(join(ROOT, file), join(target, file));
}

function copy(source: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  cpSync(source, target, { recursive: true, verbatimSymlinks: true });
}
