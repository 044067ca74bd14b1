/** Connections that must prove everything again come back one after the other, not all at once. */
import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { startServer } from '../helpers/brokers/server.ts';
import { connect, type TestClient } from '../helpers/clients/client.ts';
import { frames } from '../helpers/frames.ts';
import { has, revoke } from './stage.ts';

const TEAM = 'private-team';
const SPREAD_SECONDS = 4;

test('spread_seconds: each closes at a random moment within them, and gets events until then', async () => {
  let now = 0;
  const broker = await startServer({ parts: { monotonic: () => now } });
  const members = await Promise.all(Array.from({ length: 40 }, () => connect(broker)));
  await Promise.all(members.map((member) => member.join(TEAM)));
  const isClosed = (client: TestClient) => client.socket.readyState !== client.socket.OPEN;
  /** Closes come in the order of their turns: after this one, those whose turn came before have closed. */
  const turnsAreOver = async () => {
    const other = await connect(broker);
    await other.join('private-other');
    await revoke(broker, { target: { channel: 'private-other' }, action: 'reconnect' });
    expect(await other.closed()).toMatchObject({ code: 4200 });
  };

  const body = { target: { channel: TEAM }, action: 'reconnect', spread_seconds: SPREAD_SECONDS };
  const answer = await revoke(broker, body);
  expect(answer.body.ended.connections).toBe(members.length);
  await turnsAreOver();
  await publish(broker, TEAM, 'e', 'still here');
  for (const member of members) expect(await member.next()).toBe(frames.event('e', TEAM, 'still here'));

  now = (SPREAD_SECONDS * 1000) / 2;
  await Promise.race(members.map((member) => member.until((each) => typeof each !== 'string')));
  await turnsAreOver();
  const [early, late] = [members.filter(isClosed), members.filter((member) => !isClosed(member))];
  expect(early.length).toBeGreaterThan(0);
  expect(late.length).toBeGreaterThan(0);
  await publish(broker, TEAM, 'e', 'half of them');
  for (const member of late) await member.until(has('half of them'));

  now = SPREAD_SECONDS * 1000;
  for (const member of late) {
    const all = await member.until((each) => typeof each !== 'string');
    expect(all.at(-1)).toMatchObject({ code: 4200 });
  }
});
