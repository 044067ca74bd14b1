/** Connections that must prove everything again are closed no faster than a node can take them back. */
import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { granted, inSeconds } from '../helpers/clients/grants.ts';
import { has, revoke } from '../revocations/stage.ts';

const CONNECTIONS = 500;
const PER_SECOND = 200;

test('500 grants that end at once close 200 connections in a second, and those that wait are sent nothing', async () => {
  const broker = await startServer({ app: { grants: { onExpiry: 'reconnect' } } });
  const exp = inSeconds(6);
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => connect(broker)));
  await Promise.all(clients.map((client) => client.join('private-a', granted({ exp }))));
  const watcher = await connect(broker);
  await watcher.join('private-a');

  await expect.poll(() => Date.now(), { timeout: 15_000, interval: 20 }).toBeGreaterThan(exp * 1000 + 500);
  const isOpen = ({ socket }: (typeof clients)[number]) => socket.readyState === socket.OPEN;
  const waiting = clients.filter(isOpen);
  expect(waiting.length).toBeGreaterThan(0);
  await publish(broker, 'private-a', 'e', 'after the end');
  expect(await watcher.next()).toContain('after the end');

  for (const client of clients) {
    const received = await client.until((each) => typeof each !== 'string');
    expect(received.some(has('after the end'))).toBe(false);
    expect(received.at(-1)).toMatchObject({ code: 4200 });
  }
});

test('a revocation that sends 500 connections back takes two seconds for it', async () => {
  const broker = await startServer();
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => connect(broker)));
  await Promise.all(clients.map((client) => client.join('private-a')));
  const before = performance.now();
  const { body } = await revoke(broker, { target: { channel: 'private-a' }, action: 'reconnect' });
  expect(body.ended.connections).toBe(CONNECTIONS);
  await Promise.all(clients.map((client) => client.closed()));
  expect(performance.now() - before).toBeGreaterThan((CONNECTIONS / PER_SECOND - 0.2) * 1000);
});
