/** The audit log answers the questions that somebody asks after an incident. */
import { expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { findAudit } from '../helpers/audit.ts';
import { APP, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { granted, inSeconds } from '../helpers/clients/grants.ts';
import { eventually } from '../helpers/eventually.ts';
import { revoke } from '../revocations/stage.ts';

const TEAM = 'private-team';
const ROOM = 'presence-room';

type Query = Record<string, string>;

test('what happened to one user, one channel and one grant, from the first proof to the last refusal', async () => {
  const broker = await startServer({ config: { audit: { enabled: true } } });
  const begin = Math.floor(Date.now() / 1000);
  const [ann, bob] = [await connect(broker), await connect(broker)];
  await ann.signIn({ id: 'ann' });
  await ann.join(TEAM, granted({ id: 'g-1', user: 'ann', exp: inSeconds(60) }));
  await bob.join(TEAM, granted({ id: 'g-2', user: 'bob' }));
  await ann.join(TEAM, granted({ id: 'g-3', user: 'ann', exp: inSeconds(120) }));
  await ann.join(ROOM, granted({ id: 'g-4' }));
  const { body } = await revoke(broker, {
    target: { user_id: 'ann', channel: TEAM },
    reason: 'Left the team',
    block_seconds: 60,
  });
  expect(body.ended.subscriptions).toBe(1);
  await ann.next();
  expect(await ann.join(TEAM, granted({ id: 'g-5', user: 'ann', iat: inSeconds(5) }))).toContain('blocked');
  const stranger = await connect(broker);
  expect(await stranger.join(TEAM, granted({ id: 'g-6', user: 'ann', iat: inSeconds(5) }))).toContain(
    'blocked',
  );
  await revoke(broker, { target: { user_id: 'ann' }, action: 'disconnect', reason: 'Signed out' });
  await ann.closed();

  const story = async (query: Query, length: number) =>
    eventually(async () => {
      const records = await findAudit(broker, query);
      expect(records).toHaveLength(length);
      return records.map(({ type, channel, grant_id, reason }) =>
        [type, channel, grant_id, reason].filter((each) => each !== undefined).join(' '),
      );
    });
  const made = `revocation_made ${TEAM} Left the team`;
  const refused = [`grant_refused ${TEAM} g-5 Left the team`, `grant_refused ${TEAM} g-6 Left the team`];
  expect(await story({ user_id: 'ann' }, 10)).toEqual([
    'signed_in',
    `grant_used ${TEAM} g-1`,
    `grant_renewed ${TEAM} g-3`,
    `grant_used ${ROOM} g-4`,
    `grant_revoked ${TEAM} g-3 Left the team`,
    made,
    ...refused,
    'disconnected_by_app Signed out',
    'revocation_made Signed out',
  ]);
  expect(await story({ channel: TEAM }, 7)).toEqual([
    `grant_used ${TEAM} g-1`,
    `grant_used ${TEAM} g-2`,
    `grant_renewed ${TEAM} g-3`,
    `grant_revoked ${TEAM} g-3 Left the team`,
    made,
    ...refused,
  ]);
  expect(await story({ grant_id: 'g-3' }, 2)).toEqual([
    `grant_renewed ${TEAM} g-3`,
    `grant_revoked ${TEAM} g-3 Left the team`,
  ]);
  const between = { from: String(begin), to: String(inSeconds(1)), channel: TEAM, type: 'grant_used' };
  const readers = await findAudit(broker, between);
  expect(readers.map(({ user_id: user, key }) => [user, key])).toEqual([
    ['ann', APP.key],
    ['bob', APP.key],
  ]);
  const later = { from: String(inSeconds(60)), channel: TEAM };
  expect((await request(broker, 'GET', '/audit', { query: later })).body).toEqual({ records: [] });
});
