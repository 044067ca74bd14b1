import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Broker } from '@countersign/server';
import { expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { Hostile } from '../helpers/clients/hostile.ts';
import { frames } from '../helpers/frames.ts';
import { recordLog } from '../helpers/log.ts';

const ROUNDS = 60;
const ATTACKERS = 8;

/** Opens a connection, lets somebody use it, and ends it in one way or another once its answers begin to come. */
async function visit({ host, port }: Broker, hostile: Hostile, use: (socket: Socket) => Promise<void>) {
  const socket = connectTcp(port, host).on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await use(socket);
  if (hostile.below(3) > 0) socket.destroy();
  else if (hostile.below(2) > 0) socket.resetAndDestroy();
  else socket.resume().end();
  setTimeout(() => socket.destroy(), 200).unref();
  await closed;
}

/** What comes first, or nothing if the connection ends or stays silent. */
async function first(socket: Socket): Promise<string> {
  const signal = AbortSignal.timeout(100);
  const [bytes] = await once(socket, 'data', { signal }).catch(() => ['']);
  return String(bytes);
}

/** Somebody who sends frames and requests that nobody should, and does not care for the answers. */
async function attack(broker: Broker, seed: number): Promise<void> {
  const hostile = new Hostile(seed);
  for (let round = 0; round < ROUNDS; round += 1) {
    await visit(broker, hostile, async (socket) => {
      socket.write(hostile.handshake());
      const [, socketId = '1.1'] = /socket_id\\":\\"([\d.]+)/.exec(await first(socket)) ?? [];
      socket.resume();
      for (let count = hostile.below(60); count > 0; count -= 1) socket.write(hostile.frame(socketId));
    });
    await visit(broker, hostile, async (socket) => {
      socket.resume();
      for (let count = hostile.below(12); count >= 0; count -= 1) {
        socket.write(hostile.request());
        if (hostile.below(2) === 0) await nextTurn();
      }
      for (let turns = hostile.below(30); turns > 0; turns -= 1) await nextTurn();
    });
  }
}

test('hostile frames and requests harm nobody, and nothing is left of them', {
  timeout: 60_000,
}, async () => {
  const { log, lines } = recordLog('error');
  const broker = await startServer({ config: { failedAuthenticationsPerMinute: null }, parts: { log } });
  const witness = await connect(broker);
  await witness.join('private-witness');

  let attacking = true;
  const attacks = Array.from({ length: ATTACKERS }, (_, seed) => attack(broker, seed));
  const attacked = Promise.all(attacks).finally(() => {
    attacking = false;
  });
  let published = 0;
  for (; attacking; published += 1) await publish(broker, 'private-witness', 'e', String(published));
  await attacked;

  for (let count = 0; count < published; count += 1) {
    expect(await witness.next()).toBe(frames.event('e', 'private-witness', String(count)));
  }
  expect(await witness.nothing()).toEqual([]);
  expect(lines).toEqual([]);
  const { body } = await request(broker, 'GET', '/channels');
  expect(body).toEqual({ channels: { 'private-witness': {} } });
  expect((await request(broker, 'GET', '/users')).body).toEqual({ users: [] });
});
