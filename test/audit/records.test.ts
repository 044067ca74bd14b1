import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { cutAddress } from '#server/audit/record';
import { request } from '../helpers/api.ts';
import { auditFiles, auditLines, findAudit } from '../helpers/audit.ts';
import { APP, configOf, OTHER_APP, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';

const audit = { enabled: true };

/** Waits until the log has as many records, and returns them. */
async function recorded(broker: { readonly url: string }, count: number, query: Record<string, string> = {}) {
  return eventually(async () => {
    const records = await findAudit(broker, query);
    expect(records).toHaveLength(count);
    return records;
  });
}

describe('what is recorded', () => {
  test('grants, sign-ins, and what the application ends, with who, where and by which key', async () => {
    const broker = await startServer({ config: { audit } });
    const before = Date.now();
    const ann = await connect(broker);
    await ann.signIn({ id: 'ann' });
    await ann.join('presence-room', { user_id: 'ann' });
    await ann.join('private-notes');
    await ann.join('news');
    ann.subscribe('private-secret', { auth: `${APP.key}:${'0'.repeat(64)}` });
    await ann.next();
    await request(broker, 'POST', '/channels/presence-room/subscriptions/remove', {
      body: { user_id: 'ann', reason: 'Spam' },
    });
    await ann.next();
    await request(broker, 'POST', '/users/ann/terminate_connections', { body: { reason: 'Signed out' } });
    const stranger = await connect(broker);
    const auth = `${APP.key}:${'0'.repeat(64)}`;
    stranger.send({ event: 'pusher:signin', data: { auth, user_data: '{"id":"bob"}' } });

    const records = await recorded(broker, 9);
    const who = { app: APP.id, node: hostname(), address: '127.0.0.0/24' };
    const mine = { ...who, socket_id: ann.socketId, user_id: 'ann' };
    const { address: _, ...made } = who;
    const order = { ...made, type: 'revocation_made', user_id: 'ann', actor: `key:${APP.key}` };
    expect(records).toMatchObject([
      { ...mine, seq: 1, type: 'signed_in', key: APP.key },
      { ...mine, seq: 2, type: 'grant_used', channel: 'presence-room', key: APP.key },
      { ...mine, seq: 3, type: 'grant_used', channel: 'private-notes', key: APP.key },
      {
        ...mine,
        seq: 4,
        type: 'grant_refused',
        channel: 'private-secret',
        key: APP.key,
        reason: 'Invalid signature',
        code: 'invalid_signature',
      },
      { ...mine, seq: 5, type: 'grant_revoked', channel: 'presence-room', reason: 'Spam' },
      { ...order, seq: 6, channel: 'presence-room', reason: 'Spam', code: 'end' },
      { ...mine, seq: 7, type: 'disconnected_by_app', reason: 'Signed out', code: 'terminated' },
      { ...order, seq: 8, reason: 'Signed out', code: 'disconnect' },
      { ...who, seq: 9, type: 'sign_in_refused', socket_id: stranger.socketId, reason: 'Invalid signature' },
    ]);
    for (const { at_ms: at } of records) {
      expect(at).toBeGreaterThanOrEqual(before);
      expect(at).toBeLessThanOrEqual(Date.now());
    }
    expect(JSON.stringify(records)).not.toContain(APP.secret);
  });

  test('the life of a grant, under its id', async () => {
    const broker = await startServer({ config: { audit } });
    const ann = await connect(broker);
    const exp = Math.floor(Date.now() / 1000) + 2;
    const grant = { user_id: 'ann', countersign: { id: 'g-1', exp } };
    await ann.join('presence-room', grant);
    await ann.join('presence-room', grant);
    await ann.join('private-notes', { countersign: { id: 'g-2', user: 'ann' } });
    ann.askFor('private-notes', { countersign: { id: 'g-3', exp: 1 } });
    const mine = { user_id: 'ann', socket_id: ann.socketId, key: APP.key };
    const records = await recorded(broker, 3, { grant_id: 'g-1' });
    expect(records).toMatchObject([
      { ...mine, type: 'grant_used', channel: 'presence-room' },
      { ...mine, type: 'grant_renewed', channel: 'presence-room' },
      { ...mine, type: 'grant_expired', channel: 'presence-room', code: 'grant_expired' },
    ]);
    expect(records[2]?.at_ms).toBeGreaterThanOrEqual(exp * 1000);
    expect(await recorded(broker, 1, { grant_id: 'g-2' })).toMatchObject([{ ...mine, type: 'grant_used' }]);
    expect(await recorded(broker, 1, { type: 'grant_refused' })).toMatchObject([{ code: 'grant_expired' }]);
    await request(broker, 'POST', '/channels/private-notes/subscriptions/remove', {
      body: { user_id: 'ann', reason: 'Left the team' },
    });
    expect(await recorded(broker, 1, { type: 'grant_revoked' })).toMatchObject([
      { ...mine, grant_id: 'g-2', channel: 'private-notes', reason: 'Left the team', code: 'grant_revoked' },
    ]);
  });

  test('keys that a reload adds, changes and removes, and never their secrets', async () => {
    const broker = await startServer({ config: { audit } });
    const reload = (...keys: object[]) => broker.reload(configOf({ app: { keys } }).apps);
    reload({ key: APP.key, secret: APP.secret }, { key: 'key-2', secret: 'first-secret' });
    reload({ key: APP.key, secret: APP.secret }, { key: 'key-2', secret: 'second-secret' });
    reload({ key: APP.key, secret: APP.secret });
    reload({ key: APP.key, secret: APP.secret });
    const records = await recorded(broker, 3, { type: 'key_changed' });
    expect(records.map(({ key, reason }) => [key, reason])).toEqual([
      ['key-2', 'added'],
      ['key-2', 'changed: secret'],
      ['key-2', 'removed'],
    ]);
    expect(JSON.stringify(records)).not.toMatch(/first-secret|second-secret/);
  });

  test('whole addresses where that is configured', async () => {
    const broker = await startServer({ config: { audit: { enabled: true, fullAddresses: true } } });
    await (await connect(broker)).join('private-a');
    expect(await recorded(broker, 1)).toMatchObject([{ address: '127.0.0.1' }]);
  });

  test.each([
    ['203.0.113.77', '203.0.113.0/24'],
    ['::ffff:203.0.113.77', '203.0.113.0/24'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff', '2001:db8:aaaa::/48'],
    ['2001:db8::1', '2001:db8::/48'],
    ['fe80::1%eth0', 'fe80::/48'],
    ['::1', '::/48'],
    ['unknown', ''],
  ])('the address %s as %s', (address, network) => {
    expect(cutAddress(address)).toBe(network);
  });
});

describe('a record', () => {
  test('is the canonical JSON of a line, and its hash covers it and the one before', async () => {
    const data = newFolder();
    const broker = await startServer({ config: { audit, data } });
    const ann = await connect(broker);
    for (const channel of ['private-a', 'private-b', 'private-c']) await ann.join(channel);
    await recorded(broker, 3);
    let prev = '0'.repeat(64);
    for (const [index, line] of auditLines(data).entries()) {
      const record = JSON.parse(line);
      const canonical = (value: Record<string, unknown>) =>
        JSON.stringify(Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))));
      expect(line).toBe(canonical(record));
      const { hash, ...rest } = record;
      expect(hash).toBe(
        createHash('sha256')
          .update(prev + canonical(rest))
          .digest('hex'),
      );
      expect([record.seq, record.prev]).toEqual([index + 1, prev]);
      prev = hash;
    }
    expect(auditFiles(data)).toHaveLength(1);
    expect(auditFiles(data)[0]).toMatch(/\/audit\/0000000000000001\.ndjson$/);
  });
});

describe('GET audit', () => {
  test('filters by type, user, channel and time, in pages, and shows no other app', async () => {
    const data = newFolder();
    let now = 1_800_000_000_000;
    const broker = await startServer({ config: { audit, data }, parts: { now: () => now } });
    const ask = async (query: Record<string, string>) => {
      const signed = { ...query, auth_timestamp: String(Math.floor(now / 1000)) };
      return findAudit(broker, signed);
    };
    const ann = await connect(broker);
    await ann.join('presence-a', { user_id: 'ann' });
    now += 1000;
    const bob = await connect(broker);
    await bob.join('presence-a', { user_id: 'bob' });
    await bob.join('presence-b', { user_id: 'bob' });
    const other = await connect(broker, OTHER_APP);
    await other.join('presence-a', { user_id: 'ann' });
    await eventually(async () => expect(auditLines(data)).toHaveLength(4));

    const seqs = async (query: Record<string, string>) => (await ask(query)).map(({ seq }) => seq);
    expect(await seqs({})).toEqual([1, 2, 3]);
    expect(await seqs({ limit: '1' })).toEqual([1, 2, 3]);
    expect(await seqs({ user_id: 'bob' })).toEqual([2, 3]);
    expect(await seqs({ channel: 'presence-a' })).toEqual([1, 2]);
    expect(await seqs({ channel: 'presence-' })).toEqual([]);
    expect(await seqs({ type: 'signed_in' })).toEqual([]);
    expect(await seqs({ grant_id: 'g-1' })).toEqual([]);
    expect(await seqs({ from: '1800000001' })).toEqual([2, 3]);
    expect(await seqs({ to: '1800000001' })).toEqual([1]);
    expect(await seqs({ from: '1800000000', to: '1800000001', user_id: 'bob' })).toEqual([]);
  });

  test.each<[query: Record<string, string>, says: RegExp]>([
    [{ type: 'anything' }, /"type" is "anything"/],
    [{ limit: '0' }, /"limit" is "0"/],
    [{ limit: '1001' }, /"limit"/],
    [{ from: 'yesterday' }, /"from" is "yesterday"/],
    [{ to: '1.5' }, /"to" is "1.5"/],
    [{ cursor: 'x' }, /"cursor"/],
  ])('refuses %o', async (query, says) => {
    const broker = await startServer({ config: { audit, data: newFolder() } });
    const { status, body } = await request(broker, 'GET', '/audit', { query });
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: expect.stringMatching(says) });
  });

  test('does not exist while the log is off', async () => {
    const { status, body } = await request(await startServer(), 'GET', '/audit');
    expect([status, body]).toMatchObject([404, { code: 'audit_off' }]);
  });
});

test('the parent of workers writes one chain for all of them', async () => {
  const data = newFolder();
  const group = await startWorkers({ config: { audit, data } });
  const clients = await Promise.all(Array.from({ length: 12 }, () => connect(group)));
  await Promise.all(clients.map((client) => client.join('private-a')));
  const records = await recorded(group, 12);
  expect(new Set(records.map(({ socket_id: id }) => id))).toEqual(
    new Set(clients.map((each) => each.socketId)),
  );
  const lines = auditLines(data).map((line) => JSON.parse(line));
  expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, index) => index + 1));
});
