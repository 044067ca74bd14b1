/** The commands before a broker runs: a first configuration, its check, and the completion of a shell. */
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createProgram } from '#server/cli/program';
import { runCli, startCli } from '../helpers/brokers/cli.ts';
import { fileWith } from '../helpers/brokers/config-file.ts';
import { newFolder } from '../helpers/folder.ts';

const TIMEOUT = 60_000;

describe('init', { timeout: TIMEOUT }, () => {
  test('writes a configuration that starts, for its user alone', async () => {
    const file = join(newFolder(), 'countersign.json');
    expect(await runCli(['init', file])).toMatchObject({ code: 0, stdout: `${file}\n` });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { apps } = JSON.parse(readFileSync(file, 'utf8'));
    expect(apps).toEqual([
      {
        id: expect.stringMatching(/^[0-9A-Za-z]{8}$/),
        keys: [
          { key: expect.stringMatching(/^[0-9a-f]{20}$/), secret: expect.stringMatching(/^[\w-]{43}$/) },
        ],
        grants: { maxSeconds: 3600, onExpiry: 'reconnect' },
      },
    ]);
    expect((await runCli(['config', 'check', '--config', file])).code).toBe(0);
    const cli = startCli(['start', '--config', file, '--port', '0']);
    await cli.logged('effective limits');
    expect(cli.count('secret is short: 32 random characters are safe')).toBe(0);
  });

  test('into the current folder, where start and config find it', async () => {
    const cwd = newFolder();
    expect((await runCli(['config', 'check'], { cwd })).code).toBe(2);
    expect(await runCli(['init'], { cwd })).toMatchObject({ code: 0, stdout: 'countersign.json\n' });
    const checked = await runCli(['config', 'check', '--json'], { cwd });
    expect(JSON.parse(checked.stdout)).toEqual({ ok: true, file: 'countersign.json', apps: 1 });
    const shown = await runCli(['config', '--print'], { cwd });
    expect(JSON.parse(shown.stdout).apps).toHaveLength(1);
    const cli = startCli(['start', '--port', '0'], { cwd });
    await cli.logged('effective limits');
    const elsewhere = await fileWith({ apps: [] });
    expect((await runCli(['config', 'check', '--config', elsewhere], { cwd })).code).toBe(2);
  });

  test('beside which a short secret is warned about at the start', async () => {
    const file = await fileWith({
      apps: [{ id: '1', keys: [{ key: 'a', secret: 'kT3v0pWzq8kT3v0pWzq8' }] }],
    });
    const cli = startCli(['start', '--config', file, '--port', '0']);
    await cli.logged('secret is short: 32 random characters are safe');
  });

  test('makes other secrets each time, and overwrites nothing', async () => {
    const folder = newFolder();
    const [one, two] = [join(folder, 'one.json'), join(folder, 'two.json')];
    const made = await runCli(['init', one, '--json']);
    await runCli(['init', two]);
    const [first, second] = [one, two].map((file) => JSON.parse(readFileSync(file, 'utf8')).apps[0]);
    expect(first.keys[0].secret).not.toBe(second.keys[0].secret);
    expect(JSON.parse(made.stdout)).toEqual({ file: one, app: first.id, key: first.keys[0].key });
    const text = readFileSync(one, 'utf8');
    const again = await runCli(['init', one, '--json']);
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(JSON.parse(again.stderr)).toMatchObject({
      code: 'file_exists',
      detail: `${one} exists, and is not overwritten`,
    });
    expect(readFileSync(one, 'utf8')).toBe(text);
  });
});

describe('config check', { timeout: TIMEOUT }, () => {
  test('says in JSON whether a configuration can be used', async () => {
    const right = await fileWith({
      apps: [{ id: '1', keys: [{ key: 'a', secret: 'kT3v0pWzq8kT3v0pWzq8' }] }],
    });
    const { code, stdout } = await runCli(['config', 'check', '--config', right, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ ok: true, file: right, apps: 1 });
  });

  test.each<[what: string, content: object, problem: RegExp]>([
    ['no app', {}, /apps: there is none/],
    ['a wrong setting', { port: '80x' }, /port: got/],
    [
      'a secret that can be guessed',
      { apps: [{ id: '1', keys: [{ key: 'a', secret: 'password' }] }] },
      /guess it/,
    ],
  ])('refuses %s', async (_what, content, problem) => {
    const file = await fileWith(content);
    const { code, stdout, stderr } = await runCli(['config', 'check', '--config', file, '--json']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({
      code: 'wrong_configuration',
      detail: expect.stringMatching(problem),
    });
  });
});

test('the help of each command has an example', () => {
  const visit = (command: ReturnType<typeof createProgram>): void => {
    const parts: string[] = [];
    command.configureOutput({ writeOut: (part) => parts.push(part) }).outputHelp();
    if (command.parent) expect(parts.join(''), command.name()).toMatch(/\n {2}\$ countersign /);
    for (const each of command.commands) visit(each);
  };
  visit(createProgram());
});

describe('completion', { timeout: TIMEOUT }, () => {
  test('completes commands, their commands and options in bash', async () => {
    const { stdout: script } = await runCli(['completion', 'bash']);
    const complete = async (...words: string[]) => {
      const state = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`;
      const program = `${script}\n${state}; _countersign; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return (await promisify(execFile)('bash', ['-c', program])).stdout.trimEnd().split('\n');
    };
    expect(await complete('countersign', 'pub')).toEqual(['publish']);
    expect(await complete('countersign', 'webhooks', 're')).toEqual(['retry', 'resume']);
    expect(await complete('countersign', 'publish', 'news', '--so')).toEqual(['--socket-id']);
  });

  test.each(['zsh', 'fish'])('has a script for %s', async (shell) => {
    expect(await runCli(['completion', shell])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/webhooks/),
    });
  });

  test('knows no other shell', async () => {
    expect(await runCli(['completion', 'tcsh'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/bash, zsh, fish/),
    });
  });
});
