/** What several nodes on one Redis know of grants together. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publish, request } from '../helpers/api.ts';
import { startReceiver } from '../helpers/brokers/receiver.ts';
import { startNode } from '../helpers/brokers/running-node.ts';
import { connect } from '../helpers/clients/client.ts';
import { connectCapable, granted, inSeconds, read } from '../helpers/clients/grants.ts';
import { eventually } from '../helpers/eventually.ts';
import { frames } from '../helpers/frames.ts';
import { hasRedis, RedisServer } from '../helpers/redis/redis.ts';

const PRIVATE = 'private-team';
const ROOM = 'presence-room';

describe.skipIf(!hasRedis)('grants on several nodes', { timeout: 60_000 }, () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());
  const start = () => startNode({ redisPort: redis.port, prefix: 'grants' });

  test('a grant that is accepted once is used up on all of them, whoever comes first', async () => {
    const nodes = [await start(), await start()];
    for (let round = 0; round < 5; round += 1) {
      const grant = granted({ id: `g-${round}`, exp: inSeconds(60), once: true });
      const clients = await Promise.all([...nodes, ...nodes].map((node) => connect(node)));
      const answers = await Promise.all(clients.map((client) => client.join(PRIVATE, grant)));
      expect(answers.filter((answer) => answer === frames.subscribed(PRIVATE))).toHaveLength(1);
      expect(answers.filter((answer) => String(answer).includes('grant_used'))).toHaveLength(3);
      for (const client of clients) client.close();
    }
  });

  test('the list of keys shows the uses on all of them, and names the node that does not answer', async () => {
    const settings = { redisPort: redis.port, prefix: 'keys' };
    const [one, two] = [await startNode(settings), await startNode(settings)];
    const usesSeenBy = async (node: typeof one) => {
      const { body } = await request(node, 'GET', '/keys');
      return body as { keys: { last_used_at: Record<string, number | null> }[]; pending?: string[] };
    };
    await (await connect(one)).join(PRIVATE);
    await (await connect(two)).signIn({ id: 'ann' });
    const at = expect.any(Number);
    for (const node of [one, two, one]) {
      expect(await usesSeenBy(node)).toMatchObject({
        keys: [{ last_used_at: { subscribe: at, sign_in: at, publish: null } }],
      });
    }
    await publish(two, PRIVATE, 'e', 'x');
    expect(await usesSeenBy(one)).toMatchObject({ keys: [{ last_used_at: { publish: at } }] });

    two.cli.signal('SIGSTOP');
    const answer = await usesSeenBy(one);
    two.cli.signal('SIGCONT');
    expect(answer.pending).toEqual([expect.stringMatching(/^node-/)]);
    expect(answer.keys).toMatchObject([{ last_used_at: { subscribe: at, publish: null } }]);
  });

  test('the end of a grant gives up its seat, which the others see, and a renewal keeps it', async () => {
    const receiver = await startReceiver();
    const app = { webhooks: [{ url: receiver.url(), events: ['grant_expired'] }] };
    const settings = { redisPort: redis.port, prefix: 'ends', app };
    const [one, two] = [await startNode(settings), await startNode(settings)];
    const [ann, bob, cal] = [await connect(one), await connect(two), await connectCapable(two)];
    await ann.join(ROOM, { user_id: 'ann' });
    await bob.join(ROOM, granted({ exp: inSeconds(3) }, { user_id: 'bob' }));
    await cal.join(ROOM, granted({ exp: inSeconds(3) }, { user_id: 'cal' }));
    const renewed = granted({ exp: inSeconds(60) }, { user_id: 'cal' });
    cal.askFor(ROOM, renewed);
    await cal.until((received) => String(received).includes('grant_renewed'));

    expect(
      read(await bob.until((each) => String(each).includes('subscription_error')).then((all) => all.at(-1)!))
        .data,
    ).toMatchObject({
      code: 'grant_expired',
    });
    await ann.until((received) => received === frames.memberRemoved(ROOM, 'bob'));
    await eventually(async () => {
      const { body } = await request(one, 'GET', `/channels/${ROOM}/users`);
      expect(body).toEqual({ users: [{ id: 'ann' }, { id: 'cal' }] });
    });
    await publish(one, ROOM, 'e', 'still here');
    await cal.until((received) => received === frames.event('e', ROOM, 'still here'));
    expect(await bob.nothing()).toEqual([]);
    expect((await receiver.next()).events).toMatchObject([
      { name: 'grant_expired', channel: ROOM, user_id: 'bob', socket_id: bob.socketId, reason: 'expired' },
    ]);
  });
});
