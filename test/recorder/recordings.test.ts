/** Recordings: every step of the protocol on the connections of a user or socket id, and nothing of their payloads. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { request } from '../helpers/api.ts';
import { APP, configOf, startServer } from '../helpers/brokers/server.ts';
import { connect } from '../helpers/clients/client.ts';
import { granted, inSeconds } from '../helpers/clients/grants.ts';
import { eventually } from '../helpers/eventually.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';
import { has, oneProcess, type Place, type Start, twoNodes, twoWorkers } from '../revocations/stage.ts';

interface Step {
  readonly step: string;
  readonly socket_id: string;
  readonly at_ms: number;
  readonly event?: string;
  readonly channel?: string;
  readonly bytes?: number;
  readonly code?: string | number;
}

interface Answer {
  readonly id: string;
  readonly ends_at: number;
  readonly steps: readonly Step[];
  readonly recording: { readonly steps: number; readonly dropped: number };
  readonly recordings: readonly { readonly id: string; readonly steps: number }[];
  readonly cursor?: string;
  readonly code?: string;
  readonly error?: string;
}

const ROOM = 'presence-room';
const WORD = 'not-for-anybody-else';

async function ask(
  place: Place,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  options: { body?: object; query?: Record<string, string> } = {},
) {
  return (await request(place, method, path, options)) as { status: number; body: Answer };
}

async function record(place: Place, target: object): Promise<string> {
  const { status, body } = await ask(place, 'POST', '/recordings', { body: target });
  expect(status, JSON.stringify(body)).toBe(200);
  expect(body.ends_at).toBeGreaterThan(Date.now() / 1000);
  return body.id;
}

async function stepsOf(place: Place, id: string): Promise<readonly Step[]> {
  const steps: Step[] = [];
  let cursor = {};
  for (;;) {
    const { body } = await ask(place, 'GET', `/recordings/${id}`, { query: { limit: '3', ...cursor } });
    steps.push(...body.steps);
    if (body.cursor === undefined) return steps;
    expect(body.steps).toHaveLength(3);
    cursor = { cursor: body.cursor };
  }
}

function brief({ step, event, channel, code }: Step): string {
  return [step, event, channel, code].filter((each) => each !== undefined).join(' ');
}

function recordingsOn(start: () => Start): void {
  test('a connection is recorded in order, without what it is told and without what proves its rights', async () => {
    const [one, two] = await start()();
    const [ann, other] = [await connect(one), await connect(one)];
    const id = await record(two, { socket_id: ann.socketId, seconds: 60 });

    await ann.signIn({ id: 'ann', user_info: { note: WORD } });
    await ann.join(
      ROOM,
      granted({ id: 'g-1', exp: inSeconds(600) }, { user_id: 'ann', user_info: { note: WORD } }),
    );
    await other.join(ROOM, { user_id: 'bob' });
    await ann.until(has('member_added'));
    ann.send({ event: 'client-typing', channel: ROOM, data: WORD });
    await other.until(has('client-typing'));
    ann.subscribe('private-other', { auth: `${APP.key}:${'0'.repeat(64)}` });
    await ann.until(has('subscription_error'));
    await request(one, 'POST', '/revocations', {
      body: { target: { user_id: 'ann' }, action: 'disconnect' },
    });
    await ann.closed();

    await eventually(async () => expect((await stepsOf(two, id)).at(-1)?.step).toBe('closed'));
    const steps = await stepsOf(two, id);
    expect(steps.map(brief)).toEqual([
      'recording',
      'received pusher:signin',
      'signed_in',
      'sent pusher:signin_success',
      `received pusher:subscribe ${ROOM}`,
      `sent pusher_internal:subscription_succeeded ${ROOM}`,
      `subscribed ${ROOM}`,
      `sent pusher_internal:member_added ${ROOM}`,
      `received client-typing ${ROOM}`,
      'received pusher:subscribe private-other',
      'subscription_refused private-other invalid_signature',
      'sent pusher:subscription_error private-other invalid_signature',
      'expelled grant_revoked',
      'sent pusher:error grant_revoked',
      'closed 4009',
    ]);
    expect(new Set(steps.map((each) => each.socket_id))).toEqual(new Set([ann.socketId]));
    expect(steps[6]).toMatchObject({
      user_id: 'ann',
      grant_id: 'g-1',
      key: APP.key,
      expires_at: expect.any(Number),
    });
    expect(steps[8]!.bytes).toBeGreaterThan(WORD.length);
    expect(JSON.stringify(steps)).not.toContain(WORD);
    expect(JSON.stringify(steps)).not.toMatch(/[0-9a-f]{64}/);
  });

  test('all connections of a user are recorded, wherever they are, from when that is known', async () => {
    const [one, two] = await start()();
    const [before, after, member, other] = await Promise.all([
      connect(one),
      connect(two),
      connect(one),
      connect(two),
    ]);
    await before.signIn({ id: 'ann' });
    const id = await record(one, { user_id: 'ann' });
    await after.signIn({ id: 'ann' });
    await member.join(ROOM, { user_id: 'ann' });
    await other.join(ROOM, { user_id: 'bob' });
    await member.until(has('member_added'));
    await before.join('public');

    const expected = new Set([before, after, member].map(({ socketId }) => socketId));
    await eventually(async () => {
      const steps = await stepsOf(two, id);
      expect(new Set(steps.map((each) => each.socket_id))).toEqual(expected);
      expect(steps.map(brief)).toContain('subscribed public');
    });

    // What is forgotten records nothing any more, anywhere.
    expect((await ask(two, 'DELETE', `/recordings/${id}`)).body).toEqual({});
    for (const place of [one, two]) {
      expect(await ask(place, 'GET', `/recordings/${id}`)).toMatchObject({
        status: 404,
        body: { code: 'recording_unknown' },
      });
      expect((await ask(place, 'GET', '/recordings')).body.recordings).toEqual([]);
    }
  });
}

describe('recordings in one process', () => recordingsOn(() => oneProcess));
describe('recordings with workers', { timeout: 120_000 }, () => recordingsOn(() => twoWorkers));
describe.skipIf(!hasRedis)('recordings on Redis', { timeout: 120_000 }, () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());
  recordingsOn(() => twoNodes(() => redis));
});

test.each([
  [{}, 'user_id'],
  [{ user_id: 'ann', socket_id: '1.2' }, 'user_id'],
  [{ user_id: '' }, 'user_id'],
  [{ socket_id: 'x' }, 'socket_id'],
  [{ user_id: 'ann', seconds: 3601 }, 'seconds'],
  [{ user_id: 'ann', seconds: 0 }, 'seconds'],
  [{ user_id: 'ann', payload: true }, 'payload'],
])('%j is no recording', async (body, field) => {
  const broker = await startServer();
  const answer = await ask(broker, 'POST', '/recordings', { body });
  expect(answer).toMatchObject({ status: 400, body: { code: 'recording_invalid' } });
  expect(answer.body.error).toContain(`"${field}"`);
});

test('an app has few recordings, each ends by itself and can still be read', async () => {
  const broker = await startServer();
  const ann = await connect(broker);
  const id = await record(broker, { socket_id: ann.socketId, seconds: 1 });
  for (let more = 0; more < 4; more += 1) await record(broker, { user_id: `user-${more}` });
  expect(await ask(broker, 'POST', '/recordings', { body: { user_id: 'one-more' } })).toMatchObject({
    status: 409,
    body: { code: 'too_many_recordings' },
  });
  await eventually(async () => {
    const { body } = await ask(broker, 'GET', '/recordings');
    expect(body.recordings.find((each) => each.id === id)).toMatchObject({ goes_on: false });
  });
  const steps = (await stepsOf(broker, id)).length;
  await ann.join('public');
  expect(await stepsOf(broker, id)).toHaveLength(steps);
});

test('of many that ask at once, as many are told that they record as there is room for', async () => {
  const broker = await startServer();
  const asked = Array.from({ length: 20 }, (_, n) =>
    ask(broker, 'POST', '/recordings', { body: { user_id: `user-${n}` } }),
  );
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(statuses.sort()).toEqual([...Array(5).fill(200), ...Array(15).fill(409)]);
  expect((await ask(broker, 'GET', '/recordings')).body.recordings).toHaveLength(5);
});

test('an app that is removed and made again has no recordings', async () => {
  const broker = await startServer();
  await record(broker, { user_id: 'ann' });
  const { apps } = configOf();
  await broker.reload([]);
  await broker.reload(apps);
  expect((await ask(broker, 'GET', '/recordings')).body.recordings).toEqual([]);
});

test('what is recorded is bounded, and the oldest goes first', async () => {
  const broker = await startServer({ limits: { framesPerSecond: null } });
  const ann = await connect(broker);
  const id = await record(broker, { socket_id: ann.socketId });
  for (let times = 0; times < 3000; times += 1) ann.send({ event: 'pusher:ping', data: {} });
  await eventually(async () => {
    const { body } = await ask(broker, 'GET', `/recordings/${id}`);
    expect(body.recording.steps + body.recording.dropped).toBe(6001);
    expect(body.recording.dropped).toBeGreaterThan(1000);
    expect(body.steps.map(({ step }) => step)).not.toContain('recording');
  });
});

test('a recording belongs to its app, and needs the scope of the audit log', async () => {
  const broker = await startServer({
    app: { keys: [{ key: APP.key, secret: APP.secret, scopes: ['read', 'revoke'] }] },
  });
  expect(await ask(broker, 'POST', '/recordings', { body: { user_id: 'ann' } })).toMatchObject({
    status: 403,
    body: { code: 'scope_missing' },
  });
});
