/** The form of an answer that refuses a request. */
import { describe, expect, test } from 'vitest';
import { send, signed, startExample } from '../helpers/http.ts';

const TARGET = '/apps/3/channels';
const MISSING = 'Missing parameter: auth_key. Every request needs it in its query';

describe('an error', () => {
  const NOW = 1_795_000_000_999;

  test('has a sentence, the status and a text code, and without a proof the time of the broker', async () => {
    const broker = await startExample({ parts: { now: () => NOW } });
    const { status, headers, text } = await send(broker, { target: TARGET });
    expect([status, headers['content-type']]).toEqual([401, 'application/json']);
    expect(JSON.parse(text)).toEqual({
      error: MISSING,
      status: 401,
      code: 'missing_auth_parameter',
      server_time: 1_795_000_000,
    });
  });

  test.each(['application/problem+json', 'application/json;q=0.5, Application/Problem+JSON; q=0.9'])(
    'is a problem for those who accept %s',
    async (accept) => {
      const broker = await startExample({ parts: { now: () => NOW } });
      const { status, headers, text } = await send(broker, { target: TARGET, headers: { accept } });
      expect([status, headers['content-type']]).toEqual([401, 'application/problem+json']);
      expect(JSON.parse(text)).toEqual({
        type: expect.stringMatching(/errors\.md#missing_auth_parameter$/),
        title: 'A parameter of the signature is missing',
        status: 401,
        detail: MISSING,
        code: 'missing_auth_parameter',
        server_time: 1_795_000_000,
      });
    },
  );

  test.each([
    '*/*',
    'application/*',
    'application/json',
    'application/problem+json;q=0',
    'x/application/problem+json',
  ])('is no problem for those who accept %s', async (accept) => {
    const { headers } = await send(await startExample(), { target: TARGET, headers: { accept } });
    expect(headers['content-type']).toBe('application/json');
  });

  test('has no time of the broker when the request is proven', async () => {
    const request = signed({ path: '/apps/3/channels/a%20b' });
    const { status, text } = await send(await startExample(), request);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toEqual({ error: expect.any(String), status: 400, code: 'invalid_channel' });
  });
});
