import type { Broker } from '@countersign/server';
import PusherServer from 'pusher';
import { describe, expect, test } from 'vitest';
import { startExample } from '../helpers/http.ts';
import { app } from '../packages/vectors.ts';

function officialClient({ host, port }: Broker): PusherServer {
  return new PusherServer({
    appId: app.id,
    key: app.key,
    secret: app.secret,
    host,
    port: String(port),
    useTLS: false,
  });
}

/** The status that the official Node library gets for a list of channels. */
async function statusFor(params: Record<string, string>): Promise<number> {
  const broker = await startExample({ parts: { now: Date.now } });
  try {
    return (await officialClient(broker).get({ path: '/channels', params })).status;
  } catch (error) {
    return (error as PusherServer.RequestError).status ?? 0;
  }
}

describe('what the official Node library signs before it encodes', () => {
  test.each(['presence-', 'a=b,c;d@e', ''])('is accepted: "%s"', async (prefix) => {
    expect(await statusFor({ filter_by_prefix: prefix })).toBe(200);
  });

  test.each(['a b', 'zoë', 'a+b', 'a%20b', '"<>"'])(
    'is accepted, and then no prefix of a channel: "%s"',
    async (prefix) => {
      expect(await statusFor({ filter_by_prefix: prefix })).toBe(400);
    },
  );

  test.each([{ filter_by_prefix: 'a&b=c' }, { Info: '' }])('cannot be told apart: %j', async (params) => {
    expect(await statusFor(params)).toBe(401);
  });

  test.each(['7', 'zoë 7', 'a,b;c'])('is accepted in the id of a user: "%s"', async (id) => {
    const broker = await startExample({ parts: { now: Date.now } });
    const answer = await officialClient(broker).terminateUserConnections(id);
    expect([answer.status, await answer.text()]).toEqual([200, '{}']);
  });
});
