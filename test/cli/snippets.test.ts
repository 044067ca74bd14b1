import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { snippetsOf } from '#server/cli/dev/snippets';
import { APP, startServer } from '../helpers/brokers/server.ts';

const SECRET = `it's "a" \\ $(touch x) \`y\``;

test('a secret with quotes is one in the snippets, too: the shell publishes with it, and code reads it', async () => {
  const app = { keys: [{ key: APP.key, secret: SECRET }] };
  const { host, port } = await startServer({ app });
  const snippets = snippetsOf({ appId: APP.id, key: APP.key, host, port, secure: false, secret: SECRET });
  const codeOf = (title: string) => snippets.find((snippet) => snippet.title === title)?.code ?? '';
  const { stdout } = await promisify(execFile)('sh', ['-c', codeOf('Publish: curl')]);
  expect(JSON.parse(stdout)).toEqual({});

  const [, literal = ''] = /secret: (.*),\n/.exec(codeOf('Publish: Node')) ?? [];
  expect(new Function(`return ${literal}`)()).toBe(SECRET);
  const [, python = ''] = /secret=(.*),\n/.exec(codeOf('Publish: Python')) ?? [];
  const printed = await promisify(execFile)('python3', ['-c', `print(${python}, end='')`]);
  expect(printed.stdout).toBe(SECRET);
});
