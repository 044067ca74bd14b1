/** The client SDK with tokens in place of endpoints. */
import { Countersign } from '@countersign/sdk-client';
import { expect, onTestFinished, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { inSeconds } from '../helpers/clients/grants.ts';
import { tokenBySecret, trustingSecret } from '../helpers/token-issuer.ts';

async function start(token: () => Promise<string>, tokens: object = trustingSecret()) {
  const broker = await startServer({ app: { tokens } });
  const requests: string[] = [];
  const client = new Countersign(APP.key, {
    host: broker.host,
    port: broker.port,
    forceTLS: false,
    token,
    reconnect: { minDelay: 50, maxDelay: 100 },
    fetch: (url) => {
      requests.push(String(url));
      return Promise.reject(new Error('There is no endpoint'));
    },
  });
  onTestFinished(() => client.disconnect());
  return { broker, client, requests };
}

const event = (target: { bind(name: string, handle: (data: unknown) => void): unknown }, name: string) =>
  new Promise<unknown>((resolve) => target.bind(name, resolve));

test('a token lets the client into the channels that it names, without an endpoint', async () => {
  const { broker, client, requests } = await start(() => tokenBySecret({ user_info: { name: 'Ann' } }));
  const room = client.subscribe('presence-lobby');
  await event(room, 'pusher:subscription_succeeded');
  expect((room as unknown as { members: { me: unknown } }).members.me).toEqual({
    id: 'ann',
    info: { name: 'Ann' },
  });
  expect(client.user.user_data).toEqual({ id: 'ann', user_info: { name: 'Ann' } });
  const refused = client.subscribe('private-other');
  expect(await event(refused, 'pusher:subscription_error')).toMatchObject({ code: 'missing_auth' });
  const team = client.subscribe('private-team-7');
  await event(team, 'pusher:subscription_succeeded');
  const heard = event(team, 'e');
  await publish(broker, 'private-team-7', 'e', '"hello"');
  expect(await heard).toBe('hello');
  expect(requests).toEqual([]);
});

test('a token is renewed before it ends, and nobody notices', async () => {
  let asked = 0;
  const { client } = await start(() => {
    asked += 1;
    return tokenBySecret({ exp: inSeconds(2) });
  });
  const team = client.subscribe('private-team-7');
  await event(team, 'pusher:subscription_succeeded');
  const id = client.connection.socket_id;
  for (let n = 0; n < 3; n += 1) await event(team, 'countersign:grant_renewed');
  expect(asked).toBeGreaterThan(3);
  expect(client.connection.socket_id).toBe(id);
  expect(team.subscribed).toBe(true);
});

test('a new connection asks for another token', async () => {
  let asked = 0;
  const { client } = await start(() => {
    asked += 1;
    return tokenBySecret();
  });
  const team = client.subscribe('private-team-7');
  await event(team, 'pusher:subscription_succeeded');
  client.disconnect();
  client.connect();
  await event(team, 'pusher:subscription_succeeded');
  expect(asked).toBe(2);
});

test('a refused token is an error of the user and of the channels that need it', async () => {
  const { client } = await start(() => tokenBySecret({ exp: inSeconds(-10) }));
  const [user, channel] = [event(client.user, 'pusher:signin_error'), client.subscribe('private-team-7')];
  const refused = event(channel, 'pusher:subscription_error');
  expect(await user).toMatchObject({
    code: 'signin_refused',
    message: expect.stringContaining('token_expired'),
  });
  expect(await refused).toMatchObject({ status: 401 });
});

test('a function that fails is asked again', async () => {
  let asked = 0;
  const { client } = await start(async () => {
    asked += 1;
    if (asked === 1) throw new Error('offline');
    return tokenBySecret();
  });
  await event(client.subscribe('private-team-7'), 'pusher:subscription_succeeded');
  expect(asked).toBe(2);
});
