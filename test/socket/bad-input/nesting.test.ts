import type { Broker } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish } from '../../helpers/api.ts';
import { startServer } from '../../helpers/brokers/server.ts';
import { answers, expectService, notAnObject, signInWith } from '../../helpers/clients/bad-input.ts';
import { authorize, connect, type TestClient } from '../../helpers/clients/client.ts';
import { frames } from '../../helpers/frames.ts';

const nestedBy = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('deep nesting', () => {
  const deep = nestedBy(4500);

  async function pair(): Promise<[Broker, sender: TestClient, listener: TestClient]> {
    const broker = await startServer();
    const [sender, listener] = [await connect(broker), await connect(broker)];
    await sender.join('private-a');
    await listener.join('private-a');
    return [broker, sender, listener];
  }

  test('passes untouched in a string', async () => {
    const [broker, sender, listener] = await pair();
    sender.send({ event: 'client-a', channel: 'private-a', data: deep });
    expect(await listener.next()).toBe(frames.event('client-a', 'private-a', deep));
    await publish(broker, 'private-a', 'a', deep);
    expect(await listener.next()).toBe(frames.event('a', 'private-a', deep));
  });

  test('of the data of a client event is passed on up to 2000 levels', async () => {
    const [, sender, listener] = await pair();
    sender.send(`{"event":"client-a","channel":"private-a","data":${nestedBy(2000)}}`);
    expect(await listener.next()).toBe(frames.event('client-a', 'private-a', nestedBy(2000)));
  });

  test.each([2001, 30_000])(
    'of the data of a client event is answered with an error at %i levels',
    async (levels) => {
      const [broker, sender, listener] = await pair();
      sender.send(`{"event":"client-a","channel":"private-a","data":${nestedBy(levels)}}`);
      expect(await sender.nothing()).toEqual([
        frames.error(null, 'Invalid client event: "data" is nested too deeply', 'invalid_message'),
      ]);
      expect(await listener.nothing()).toEqual([]);
      await expectService(broker);
    },
  );

  test('of a whole frame is answered with an error', async () => {
    expect(await answers((client) => client.send(nestedBy(30_000)))).toEqual([notAnObject]);
  });

  test.each(['pusher:subscribe', 'pusher:unsubscribe', 'pusher:signin', 'unknown'])(
    'of the data of %s is answered with an error',
    async (event) => {
      const [answer, ...more] = await answers((client) => client.send(`{"event":"${event}","data":${deep}}`));
      expect(answer).toMatch(/^\{"event":"pusher:error"/);
      expect(more).toEqual([]);
    },
  );

  test.each(['auth', 'channel_data', 'channel'])(
    'of the field %s is answered with an error',
    async (field) => {
      const text = `{"event":"pusher:subscribe","data":{"channel":"private-a","${field}":${deep}}}`;
      const [answer, ...more] = await answers((client) => client.send(text));
      expect(answer).toMatch(/^\{"event":"pusher:(error|subscription_error)"/);
      expect(more).toEqual([]);
    },
  );

  test.each([1024, 65_536])(
    'of signed user_data of at most %i bytes is answered',
    async (presenceMemberBytes) => {
      const signIn = (client: TestClient) =>
        signInWith(client, `{"id":"ann","user_info":{"a":${nestedBy(30_000)}}}`);
      const received = await answers(signIn, { limits: { presenceMemberBytes } });
      expect(received).toEqual([expect.stringMatching(/^\{"event":"pusher:error"/)]);
    },
  );

  test.each([1024, 65_536])('of signed channel_data of at most %i bytes is refused', async (bytes) => {
    const broker = await startServer({ limits: { presenceMemberBytes: bytes } });
    const client = await connect(broker);
    const answer = await client.join('presence-a', {
      user_id: 'ann',
      user_info: { a: JSON.parse(nestedBy(1000)) },
    });
    expect(answer).toMatch(bytes === 1024 ? /LimitReached/ : /subscription_succeeded/);

    const channelData = `{"user_id":"bob","user_info":{"a":${nestedBy(30_000)}}}`;
    const auth = authorize(client.socketId, 'presence-b', channelData);
    client.subscribe('presence-b', { auth, channel_data: channelData });
    expect(await client.next()).toMatch(/^\{"event":"pusher:subscription_error"/);

    // It is not half in: the next one finds nobody.
    expect(await (await connect(broker)).join('presence-b', { user_id: 'cem' })).toBe(
      frames.presence('presence-b', [['cem', null]]),
    );
    await publish(broker, 'presence-b', 'a', 'x');
    expect(await client.nothing()).toEqual([]);
  });
});
