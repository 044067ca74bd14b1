/** The client SDK as a script that the broker serves. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { startServer } from '../helpers/brokers/server.ts';

const require = createRequire(import.meta.url);

test.each(['countersign.min.js', 'countersign-encrypted.min.js'])(
  '%s is served to pages of any origin',
  async (name) => {
    const broker = await startServer({ config: { pathPrefix: '/live' } });
    const answer = await fetch(`${broker.url}/live/${name}`);
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': expect.stringMatching(/^(text|application)\/javascript/),
      'access-control-allow-origin': '*',
      'cache-control': 'public, max-age=86400',
    });
    expect(await answer.text()).toBe(
      await readFile(require.resolve(`@countersign/sdk-client/${name}`), 'utf8'),
    );
    expect((await fetch(`${broker.url}/${name}`)).status).toBe(404);
  },
);
