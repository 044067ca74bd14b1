import { describe, expect, test } from 'vitest';
import { publish } from '../../helpers/api.ts';
import { APP, startServer } from '../../helpers/brokers/server.ts';
import { answers } from '../../helpers/clients/bad-input.ts';
import { connect, type TestClient } from '../../helpers/clients/client.ts';
import { connectRaw, frameOf, opcodes } from '../../helpers/clients/raw.ts';
import { frames } from '../../helpers/frames.ts';

describe('a name that objects have anyway', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];

  test.each(names)('may be that of a channel: %s', async (name) => {
    const broker = await startServer();
    const client = await connect(broker);
    client.send({ event: 'pusher:unsubscribe', data: { channel: name } });
    expect(await client.join(name)).toBe(frames.subscribed(name));
    await publish(broker, name, name, 'x');
    expect(await client.next()).toBe(frames.event(name, name, 'x'));
    client.send({ event: 'pusher:unsubscribe', data: { channel: name } });
    expect(await client.nothing()).toEqual([]);
  });

  test.each(names)('may be that of a member: %s', async (name) => {
    const broker = await startServer();
    const [first, second] = [await connect(broker), await connect(broker)];
    await first.join('presence-a', { user_id: 'ann' });
    expect(await second.join('presence-a', { user_id: name, user_info: { a: 1 } })).toBe(
      frames.presence('presence-a', [
        ['ann', null],
        [name, { a: 1 }],
      ]),
    );
    expect(await first.next()).toBe(frames.memberAdded('presence-a', name, { a: 1 }));
    second.socket.close();
    expect(await first.next()).toBe(frames.memberRemoved('presence-a', name));
  });

  test.each(names)('may be that of a user: %s', async (name) => {
    const client = await connect(await startServer());
    expect(await client.signIn({ id: name })).toBe(frames.signedIn(JSON.stringify({ id: name })));
    expect(await client.join(`#server-to-user-${name}`)).toBe(frames.subscribed(`#server-to-user-${name}`));
  });

  test.each(names)('is no key unless it is configured: %s', async (name) => {
    const subscribe = (client: TestClient) =>
      client.subscribe('private-a', { auth: `${name}:${'0'.repeat(64)}` });
    const reason = `Invalid key in auth: this app has no key '${name}'`;
    expect(await answers(subscribe)).toEqual([
      frames.subscriptionError('private-a', 'AuthError', reason, 401, 'unknown_key'),
    ]);
  });

  test.each(names)('is a key like any other where it is configured: %s', async (name) => {
    const broker = await startServer({ app: { keys: [{ key: name, secret: APP.secret }] } });
    const client = await connectRaw(broker, `/app/${name}?protocol=7`);
    client.send(frameOf({ payload: '{"event":"pusher:ping"}' }));
    expect(await client.next()).toEqual({ opcode: opcodes.text, payload: frames.pong });
  });
});
