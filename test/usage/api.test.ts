/** Usage over the admin API: ranges, pages, exports, and who may read it. */
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { Store } from '#server/store/store';
import { peakNames, sumNames } from '#server/usage/figures';
import { startOf } from '#server/usage/period';
import { admin, OWNER } from '../helpers/admin.ts';
import { APP, OTHER_APP, startServer } from '../helpers/brokers/server.ts';
import { newFolder } from '../helpers/folder.ts';

const BOUNDS = { maxPending: 10, maxLogEvents: 10, maxBytes: 1_000_000, maxTotalBytes: 1_000_000 };
const TODAY = startOf('day', Date.now());
const YESTERDAY = TODAY - 86_400_000;
const HEADER =
  'app,from,unit,connections_peak,connection_minutes,messages_published,messages_delivered,bytes_in,bytes_out,client_events,presence_members_peak,webhooks_sent,webhooks_failed,refused,history_bytes_peak,complete';

const iso = (at: number) => new Date(at).toISOString().replace('.000', '');

/** A broker whose two apps have used something in each minute of yesterday. */
async function start() {
  const data = newFolder();
  const store = await Store.open({
    directory: data,
    bounds: BOUNDS,
    now: Date.now,
    log: pino({ level: 'silent' }),
  });
  await store.usage.begin('earlier');
  const changes = Array.from({ length: 1440 }, (_, minute) =>
    [APP.id, OTHER_APP.id, 'deleted'].map((app) => ({
      app,
      minute: YESTERDAY + minute * 60_000,
      sums: sumNames.map((name) => (name === 'connection_ms' ? 90_000 : 2)),
      peaks: peakNames.map(() => 3),
      connections: 0,
      members: 0,
      isIncomplete: false,
    })),
  ).flat();
  await store.usage.add({ node: 'earlier', seq: 1, changes, isLast: true });
  await store.close();
  const tokens = [
    { name: 'money', role: 'billing' },
    { name: 'tenant', role: 'viewer', apps: [APP.id] },
  ];
  const broker = await startServer({ config: { data, admin: { token: OWNER } } });
  const made = await Promise.all(
    tokens.map(async (body) => (await admin(broker, 'POST', '/tokens', { body })).body.token),
  );
  return { broker, money: made[0], tenant: made[1] };
}

async function text(broker: { readonly url: string }, path: string) {
  const response = await fetch(`${broker.url}/admin/v1${path}`, {
    headers: { Authorization: `Bearer ${OWNER}` },
  });
  return { type: response.headers.get('content-type'), text: await response.text() };
}

test('rows are those of a range, by the unit, in pages', async () => {
  const { broker } = await start();
  const from = iso(YESTERDAY);
  const day = await admin(broker, 'GET', `/apps/${APP.id}/usage?from=${from}`);
  expect(day.body).toEqual({
    rows: [
      {
        app: APP.id,
        from,
        unit: 'day',
        connections_peak: 3,
        connection_minutes: 1440 * 1.5,
        messages_published: 2880,
        messages_delivered: 2880,
        bytes_in: 2880,
        bytes_out: 2880,
        client_events: 2880,
        presence_members_peak: 3,
        webhooks_sent: 2880,
        webhooks_failed: 2880,
        refused: 2880,
        history_bytes_peak: 3,
        complete: true,
      },
    ],
  });
  // From is rounded down and inclusive, to is rounded down and exclusive.
  const hours = await admin(
    broker,
    'GET',
    `/apps/${APP.id}/usage?unit=hour&from=${iso(YESTERDAY + 5_400_000)}&to=${iso(YESTERDAY + 3 * 3_600_000 + 1000)}`,
  );
  expect(hours.body.rows.map((row: { from: string }) => row.from)).toEqual([
    iso(YESTERDAY + 3_600_000),
    iso(YESTERDAY + 7_200_000),
  ]);
  const seen: string[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await admin(
      broker,
      'GET',
      `/usage?unit=hour&from=${from}&to=${iso(TODAY)}&limit=10${cursor}`,
    );
    seen.push(...body.rows.map((row: { from: string; app: string }) => `${row.from} ${row.app}`));
    if (body.cursor === undefined) break;
    cursor = `&cursor=${body.cursor}`;
  }
  expect(seen).toHaveLength(72);
  expect(seen).toEqual([...new Set(seen)].sort());
  // Today nothing was used.
  expect((await admin(broker, 'GET', '/usage')).body).toEqual({ rows: [] });
});

test('exports are whole, in each format', async () => {
  const { broker } = await start();
  const range = `unit=minute&from=${iso(YESTERDAY)}&to=${iso(TODAY)}`;
  const csv = await text(broker, `/usage?${range}&format=csv`);
  expect(csv.type).toBe('text/csv; charset=utf-8');
  const lines = csv.text.split('\r\n');
  expect(lines[0]).toBe(HEADER);
  expect(lines).toHaveLength(1 + 3 * 1440 + 1);
  expect(lines).toContain(`${APP.id},${iso(YESTERDAY)},minute,3,1.5,2,2,2,2,2,3,2,2,2,3,true`);

  const ndjson = await text(broker, `/apps/${APP.id}/usage?${range}&format=ndjson`);
  expect(ndjson.type).toBe('application/x-ndjson');
  const rows = ndjson.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows).toHaveLength(1440);
  expect(rows[0]).toMatchObject({ app: APP.id, from: iso(YESTERDAY), unit: 'minute', complete: true });

  const events = await text(broker, `/usage?${range}&format=cloudevents`);
  expect(events.type).toBe('application/cloudevents-batch+json');
  const batch = JSON.parse(events.text);
  expect(batch).toHaveLength(3 * 1440);
  expect(batch[0]).toEqual({
    specversion: '1.0',
    id: `${APP.id}/minute/${iso(YESTERDAY)}`,
    source: `/apps/${APP.id}`,
    type: 'countersign.usage.minute',
    subject: APP.id,
    time: iso(YESTERDAY),
    datacontenttype: 'application/json',
    data: rows[0],
  });
  const nothing = await text(broker, '/usage?format=cloudevents');
  expect(JSON.parse(nothing.text)).toEqual([]);
  expect((await text(broker, '/usage?format=csv')).text).toBe(`${HEADER}\r\n`);
});

test('billing reads usage only, a tenant its apps, and a deleted app keeps its rows', async () => {
  const { broker, money, tenant } = await start();
  const from = `from=${iso(YESTERDAY)}`;
  const all = await admin(broker, 'GET', `/usage?${from}`, { token: money });
  expect(all.body.rows.map((row: { app: string }) => row.app)).toEqual(
    [APP.id, 'deleted', OTHER_APP.id].sort(),
  );
  expect(await admin(broker, 'GET', '/apps', { token: money })).toMatchObject({
    status: 403,
    body: { code: 'role_missing' },
  });
  const own = await admin(broker, 'GET', `/usage?${from}`, { token: tenant });
  expect(own.body.rows.map((row: { app: string }) => row.app)).toEqual([APP.id]);
  for (const app of [OTHER_APP.id, 'deleted', 'nobody']) {
    expect(await admin(broker, 'GET', `/apps/${app}/usage`, { token: tenant })).toMatchObject({
      status: 404,
      body: { code: 'app_not_found' },
    });
  }
  expect((await admin(broker, 'GET', `/apps/deleted/usage?${from}`)).body.rows).toHaveLength(1);
  expect(await admin(broker, 'GET', '/apps/nobody/usage')).toMatchObject({ status: 404 });
});

test.each([
  ['from', 'from=yesterday'],
  ['to', 'to=2027-13-01'],
  ['unit', 'unit=week'],
  ['format', 'format=xml'],
  ['limit', 'limit=0'],
  ['cursor', 'cursor=nonsense'],
  ['cursor', `cursor=${Buffer.from('nonsense').toString('base64url')}`],
  ['limit', 'format=csv&limit=5'],
  ['since', 'since=2027-01-01'],
])('a wrong %s is refused', async (path, query) => {
  const broker = await startServer({ config: { admin: { token: OWNER } } });
  expect(await admin(broker, 'GET', `/usage?${query}`)).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', errors: [{ path }] },
  });
});

test('totals are the sums of what a token may see, and name the apps that used most', async () => {
  const { broker, tenant, money } = await start();
  const range = `from=${iso(YESTERDAY)}&to=${iso(TODAY)}`;
  const { body } = await admin(broker, 'GET', `/usage/totals?${range}&unit=hour`);
  expect(body.periods).toHaveLength(24);
  expect(body.periods[0]).toEqual({
    from: iso(YESTERDAY),
    connections_peak: 9,
    connection_minutes: 270,
    messages_published: 360,
    messages_delivered: 360,
    bytes_in: 360,
    bytes_out: 360,
    client_events: 360,
    presence_members_peak: 9,
    webhooks_sent: 360,
    webhooks_failed: 360,
    refused: 360,
    history_bytes_peak: 9,
    complete: true,
  });
  expect(body.apps.map(({ app }: { app: string }) => app).sort()).toEqual(
    [APP.id, 'deleted', OTHER_APP.id].sort(),
  );
  expect(body.apps[0]).toMatchObject({ messages_delivered: 2880, connections_peak: 3 });

  const { body: own } = await admin(broker, 'GET', `/usage/totals?${range}`, { token: tenant });
  expect(own.periods).toMatchObject([{ messages_delivered: 2880, connections_peak: 3 }]);
  expect(own.apps).toMatchObject([{ app: APP.id }]);
  expect((await admin(broker, 'GET', '/usage/totals', { token: money })).status).toBe(200);
  const wrong = await admin(broker, 'GET', '/usage/totals?by=app');
  expect(wrong).toMatchObject({ status: 400, body: { errors: [{ path: 'by' }] } });
});

test('rows are those of the apps that are named, as far as the token may see them', async () => {
  const { broker, tenant } = await start();
  const path = `/usage?from=${iso(YESTERDAY)}&to=${iso(TODAY)}&apps=${OTHER_APP.id},${APP.id},none`;
  const appsOf = async (token?: string) =>
    (await admin(broker, 'GET', path, token === undefined ? {} : { token })).body.rows.map(
      ({ app }: { app: string }) => app,
    );
  expect(await appsOf()).toEqual([APP.id, OTHER_APP.id]);
  expect(await appsOf(tenant)).toEqual([APP.id]);
});
