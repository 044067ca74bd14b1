import { type BrokerParts, MemoryAdapter } from '@countersign/server';
import { describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { DelayedAdapter } from '../helpers/brokers/delayed-adapter.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { RosterView } from '../helpers/clients/roster-view.ts';
import { frames } from '../helpers/frames.ts';

const ROOM = 'presence-room';
const ANN = { user_id: 'ann', user_info: { name: 'Ann' } };
const BOB = { user_id: 'bob', user_info: { name: 'Bob' } };
const ann = ['ann', { name: 'Ann' }] as const;
const bob = ['bob', { name: 'Bob' }] as const;

function full(members: number): string {
  const error = `The channel is full: it has ${members} members`;
  return frames.subscriptionError(ROOM, 'LimitReached', error, 409, 'channel_full');
}

describe('the first connection of a user', () => {
  test('gets all members, including itself', async () => {
    const server = await startServer();
    const [first, second] = [await connect(server), await connect(server)];
    expect(await first.join(ROOM, ANN)).toBe(frames.presence(ROOM, [ann]));
    expect(await second.join(ROOM, BOB)).toBe(frames.presence(ROOM, [ann, bob]));
  });

  test('is announced to all others, and not to itself', async () => {
    const server = await startServer();
    const [first, second, third] = [await connect(server), await connect(server), await connect(server)];
    await first.join(ROOM, ANN);
    await second.join(ROOM, BOB);
    expect(await first.next()).toBe(frames.memberAdded(ROOM, ...bob));
    await third.join(ROOM, { user_id: 'cal' });
    for (const client of [first, second]) expect(await client.next()).toBe(frames.memberAdded(ROOM, 'cal'));
    for (const client of [first, second, third]) expect(await client.nothing()).toEqual([]);
  });

  test('is announced to nobody outside of the channel', async () => {
    const server = await startServer();
    const [inside, outside] = [await connect(server), await connect(server)];
    await outside.join('presence-hall', BOB);
    await inside.join(ROOM, ANN);
    expect(await outside.nothing()).toEqual([]);
  });
});

describe('a further connection of a user', () => {
  test('gets the user once, and is announced to nobody', async () => {
    const server = await startServer();
    const [witness, tab, secondTab] = [await connect(server), await connect(server), await connect(server)];
    await witness.join(ROOM, BOB);
    await tab.join(ROOM, ANN);
    expect(await witness.next()).toBe(frames.memberAdded(ROOM, ...ann));
    expect(await secondTab.join(ROOM, ANN)).toBe(frames.presence(ROOM, [bob, ann]));
    for (const client of [witness, tab]) expect(await client.nothing()).toEqual([]);
  });

  test('does not change what is known of the user', async () => {
    const server = await startServer();
    const [tab, secondTab, late] = [await connect(server), await connect(server), await connect(server)];
    await tab.join(ROOM, ANN);
    await secondTab.join(ROOM, { user_id: 'ann', user_info: { name: 'Anna' } });
    tab.unsubscribe(ROOM);
    await tab.nothing();
    expect(await late.join(ROOM, BOB)).toBe(frames.presence(ROOM, [ann, bob]));
  });
});

/** A channel that is left after the room, and so shows that the room was left. */
const EXIT = 'presence-exit';

describe.each([
  [
    'unsubscribes',
    (client: TestClient) => {
      client.unsubscribe(ROOM);
      client.unsubscribe(EXIT);
    },
  ],
  ['is cut off', (client: TestClient) => client.close()],
])('a connection that %s', (_, leave) => {
  test('leaves its user in the channel if the user has another one', async () => {
    const server = await startServer();
    const [witness, tab, secondTab] = [await connect(server), await connect(server), await connect(server)];
    for (const client of [tab, secondTab]) await client.join(ROOM, ANN);
    await tab.join(EXIT, ANN);
    for (const channel of [ROOM, EXIT]) await witness.join(channel, BOB);
    leave(tab);
    expect(await witness.next()).toBe(frames.memberRemoved(EXIT, 'ann'));
    expect(await witness.join(ROOM, BOB)).toBe(frames.presence(ROOM, [ann, bob]));
  });

  test('takes its user away if it was the last one', async () => {
    const server = await startServer();
    const [witness, client] = [await connect(server), await connect(server)];
    for (const channel of [ROOM, EXIT]) await client.join(channel, ANN);
    for (const channel of [ROOM, EXIT]) await witness.join(channel, BOB);
    leave(client);
    expect(await witness.next()).toBe(frames.memberRemoved(ROOM, 'ann'));
    expect(await witness.next()).toBe(frames.memberRemoved(EXIT, 'ann'));
    expect(await witness.join(ROOM, BOB)).toBe(frames.presence(ROOM, [bob]));
  });
});

test('a connection that is cut off while it joins leaves nothing behind', async () => {
  const inner = new MemoryAdapter();
  const server = await startServer({ parts: { adapter: new DelayedAdapter(inner, () => 1) } });
  const [witness, client] = [await connect(server), await connect(server)];
  await witness.join(ROOM, BOB);
  client.askFor(ROOM, ANN);
  const count = async () => (await inner.roster.counts(`${APP.id}:${ROOM}`)).subscriptions;
  while ((await count()) < 2) await new Promise((resolve) => setImmediate(resolve));
  client.close();
  expect(await witness.next()).toBe(frames.memberAdded(ROOM, ...ann));
  expect(await witness.next()).toBe(frames.memberRemoved(ROOM, 'ann'));
  expect(await count()).toBe(1);
});

test('a returning user is removed and added, and may have a new description', async () => {
  const server = await startServer();
  const [witness, client] = [await connect(server), await connect(server)];
  await witness.join(ROOM, BOB);
  await client.join(ROOM, ANN);
  client.unsubscribe(ROOM);
  await client.join(ROOM, { user_id: 'ann', user_info: { name: 'Anna' } });
  expect(await witness.nothing()).toEqual([
    frames.memberAdded(ROOM, ...ann),
    frames.memberRemoved(ROOM, 'ann'),
    frames.memberAdded(ROOM, 'ann', { name: 'Anna' }),
  ]);
});

test('an event comes to all members', async () => {
  const server = await startServer();
  const [first, second] = [await connect(server), await connect(server)];
  await first.join(ROOM, ANN);
  await second.join(ROOM, ANN);
  await publish(server, ROOM, 'e', '1');
  for (const client of [first, second]) expect(await client.next()).toBe(frames.event('e', ROOM, '1'));
});

describe('a channel that is full', () => {
  test('has 100 users, refuses another one, and admits another connection of those there', async () => {
    const server = await startServer();
    for (let n = 0; n < 100; n += 1) await (await connect(server)).join(ROOM, { user_id: n });
    const [stranger, tab] = [await connect(server), await connect(server)];
    expect(await stranger.join(ROOM, BOB)).toBe(full(100));
    await tab.join(ROOM, { user_id: 42 });
    expect(await tab.nothing()).toEqual([]);
    const { body } = await request(server, 'GET', `/channels/${ROOM}`, { query: { info: 'user_count' } });
    expect(body).toMatchObject({ user_count: 100 });
  });

  test('admits the next user when one has left', async () => {
    const server = await startServer({ limits: { presenceMembers: 1 } });
    const [first, tab, second] = [await connect(server), await connect(server), await connect(server)];
    expect(await first.join(ROOM, ANN)).toBe(frames.presence(ROOM, [ann]));
    expect(await tab.join(ROOM, ANN)).toBe(frames.presence(ROOM, [ann]));
    expect(await second.join(ROOM, BOB)).toBe(full(1));
    first.unsubscribe(ROOM);
    await first.nothing();
    expect(await second.join(ROOM, BOB)).toBe(full(1));
    tab.unsubscribe(ROOM);
    await tab.nothing();
    expect(await second.join(ROOM, BOB)).toBe(frames.presence(ROOM, [bob]));
  });

  test('counts users, not connections', async () => {
    const server = await startServer({ limits: { presenceMembers: 2 } });
    for (let tab = 0; tab < 3; tab += 1) await (await connect(server)).join(ROOM, ANN);
    expect(await (await connect(server)).join(ROOM, BOB)).toBe(frames.presence(ROOM, [ann, bob]));
  });

  test('announces no refused user to its members', async () => {
    const server = await startServer({ limits: { presenceMembers: 1 } });
    const [member, stranger] = [await connect(server), await connect(server)];
    await member.join(ROOM, ANN);
    await stranger.join(ROOM, BOB);
    await publish(server, ROOM, 'e', '1');
    expect(await member.nothing()).toEqual([frames.event('e', ROOM, '1')]);
    expect(await stranger.nothing()).toEqual([]);
  });
});

describe.each<[string, () => BrokerParts]>([
  ['in memory', () => ({})],
  ['behind random delays', () => ({ adapter: new DelayedAdapter(new MemoryAdapter()) })],
])('a hundred joins and leaves at once, %s', (_, parts) => {
  test('add up to the same roster for everyone', async () => {
    const server = await startServer({ parts: parts() });
    const open = (count: number) => Promise.all(Array.from({ length: count }, () => connect(server)));
    const [stayers, leavers, joiners] = [await open(2), await open(50), await open(50)];
    // Two connections each, so that not every join and leave is news.
    const userOf = (kind: string, index: number) => `${kind}-${index >> 1}`;
    for (const [n, client] of stayers.entries()) client.askFor(ROOM, { user_id: `stayer-${n}` });
    await Promise.all(leavers.map((client, n) => client.join(ROOM, { user_id: userOf('leaver', n) })));

    for (const [n, joiner] of joiners.entries()) {
      joiner.askFor(ROOM, { user_id: userOf('joiner', n) });
      const leaver = leavers[n]!;
      if (n % 2 === 0) leaver.unsubscribe(ROOM);
      else leaver.close();
    }

    // Each client joins or leaves once, so this roster is complete only when all have.
    const users = new Set(['stayer-0', 'stayer-1', ...joiners.map((_, n) => userOf('joiner', n))]);
    for (const client of [...stayers, ...joiners]) await reads(client, [...users].sort());
    await publish(server, ROOM, 'marker', '');
    for (const client of [...stayers, ...joiners]) {
      expect(await client.next()).toBe(frames.event('marker', ROOM, ''));
    }
  });
});

/** Waits until what a client received adds up to a roster. */
async function reads(client: TestClient, users: readonly string[]): Promise<void> {
  const view = new RosterView(ROOM);
  while (view.members?.join() !== users.join()) view.read(String(await client.next()));
}
