import { createPublicKey, randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AuditLog } from '#server/audit/audit-log';
import { readCheckpoint } from '#server/audit/checkpoint';
import { FileStore } from '#server/audit/file-store';
import { Retention } from '#server/audit/retention';
import { SigningKey } from '#server/data/signing-key';
import { Metrics } from '#server/metrics';
import { request } from '../helpers/api.ts';
import { auditFiles, auditLines, findAudit } from '../helpers/audit.ts';
import { runCli } from '../helpers/brokers/cli.ts';
import { MortalBroker } from '../helpers/brokers/killable-broker.ts';
import { APP, configOf, startServer } from '../helpers/brokers/server.ts';
import { startWorkers } from '../helpers/brokers/workers.ts';
import { connect } from '../helpers/clients/client.ts';
import { eventually } from '../helpers/eventually.ts';
import { newFolder } from '../helpers/folder.ts';
import { recordLog } from '../helpers/log.ts';
import { readSamples } from '../helpers/metrics.ts';
import { smallDisk } from '../helpers/small-disk.ts';

const audit = { enabled: true };

const verify = (data: string, ...args: string[]) => runCli(['audit', 'verify', data, ...args]);

async function expectFault(data: string, says: string | RegExp): Promise<void> {
  const { code, stderr } = await verify(data);
  expect(stderr).toMatch(says);
  expect(code).toBe(1);
}

/** A data directory whose log has this many records. */
async function written(records: number): Promise<string> {
  const data = newFolder();
  const broker = await startServer({ config: { audit, data }, limits: { framesPerSecond: null } });
  const client = await connect(broker);
  for (let n = 0; n < records; n += 1) await client.join(`private-${n}`);
  await broker.close();
  expect(auditLines(data)).toHaveLength(records);
  return data;
}

/** A log in a directory, with a clock of its own and no broker around it. */
async function openLog(
  data: string,
  settings: { now?: () => number; keepMs?: number; maxBytes?: number } = {},
) {
  const { now = Date.now, keepMs = 90 * 86_400_000, maxBytes = 1e9 } = settings;
  const { log, lines } = recordLog();
  const metrics = new Metrics();
  const { privateKey } = SigningKey.open(undefined, data)!;
  const retention = new Retention({ keepMs, maxBytes, metrics, log, now });
  const maxFileBytes = maxBytes / 8;
  const store = await FileStore.open({ data, node: 'node', privateKey, retention, maxFileBytes, log, now });
  const auditLog = new AuditLog({ store, isRequired: false, fullAddresses: false, metrics, log, now });
  let isClosed = false;
  const close = async () => {
    if (!isClosed) await auditLog.close();
    isClosed = true;
  };
  onTestFinished(close);
  return { auditLog, store, metrics, lines, close };
}

const event = { type: 'grant_used', app: APP.id, channel: 'private-a' } as const;

describe('countersign audit verify', () => {
  test('accepts what a broker wrote, with the signature of its checkpoint', async () => {
    const data = await written(3);
    expect(await verify(data)).toMatchObject({
      code: 0,
      stdout: '3 records follow one another; the signature of the checkpoint is valid\n',
    });
    expect(JSON.parse(readFileSync(join(data, 'audit/head.json'), 'utf8'))).toEqual({
      seq: 3,
      hash: JSON.parse(auditLines(data)[2]!).hash,
    });
    for (const name of ['head.json', 'checkpoint.txt', '0000000000000001.ndjson'])
      expect(statSync(join(data, 'audit', name)).mode & 0o777).toBe(0o600);
  });

  test.each<[what: string, damage: (lines: string[]) => string[], says: RegExp]>([
    [
      'a changed byte',
      (lines) => lines.map((line, n) => (n === 1 ? line.replace('private-1', 'private-x') : line)),
      /0000000000000001\.ndjson:2: its hash is not that of its content/,
    ],
    ['a missing line', (lines) => lines.toSpliced(1, 1), /ndjson:2: it is record 3, and record 2 is missing/],
    [
      'a first line that is missing',
      (lines) => lines.slice(1),
      /ndjson:1: it is record 2, and record 1 is missing/,
    ],
    ['lines in another order', ([a, b, ...rest]) => [b!, a!, ...rest], /ndjson:1: it is record 2/],
    ['a line twice', ([a, ...rest]) => [a!, a!, ...rest], /ndjson:2: it is record 1/],
    [
      'a space',
      ([a, ...rest]) => [a!.replace(',', ', '), ...rest],
      /ndjson:1: it is not in its canonical form/,
    ],
    [
      'another field',
      ([a, ...rest]) => [a!.replace('{', '{"aaa":1,'), ...rest],
      /ndjson:1: it is not in its can/,
    ],
    ['a line of something else', (lines) => ['{}', ...lines], /ndjson:1: it is no record/],
    ['an empty line', ([a, ...rest]) => [a!, '', ...rest], /ndjson:2: it is no record/],
    [
      'a cut end',
      (lines) => lines.slice(0, -1),
      /ndjson:3: the log ends at record 3, and .* reaches record 4/,
    ],
    ['no lines', () => [], /the log ends at record 0/],
  ])('finds %s', async (_what, damage, says) => {
    const data = await written(4);
    const lines = damage(auditLines(data));
    writeFileSync(auditFiles(data)[0]!, lines.map((line) => `${line}\n`).join(''));
    await expectFault(data, says);
  });

  test('finds a cut end by the checkpoint, also where the head was rewritten', async () => {
    const data = await written(4);
    const lines = auditLines(data).slice(0, 2);
    writeFileSync(auditFiles(data)[0]!, lines.map((line) => `${line}\n`).join(''));
    writeFileSync(
      join(data, 'audit/head.json'),
      JSON.stringify({ seq: 2, hash: JSON.parse(lines[1]!).hash }),
    );
    await expectFault(data, /ndjson:2: .*checkpoint\.txt says that it reaches record 4/);
  });

  test('finds a checkpoint that another key signed, or that was changed', async () => {
    const data = await written(2);
    const file = join(data, 'audit/checkpoint.txt');
    const note = readFileSync(file, 'utf8');
    writeFileSync(file, note.replace(/\n2\n/, '\n1\n'));
    await expectFault(data, /checkpoint\.txt:1: its signature is not that of the key/);
    writeFileSync(file, note);
    rmSync(join(data, 'signing-key.pem'));
    expect(await verify(data)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('no signature was checked'),
    });
    SigningKey.open(undefined, data);
    await expectFault(data, /its signature is not that of the key/);
  });

  test('finds a file that is missing, and one with another name', async () => {
    const data = newFolder();
    let now = Date.now();
    const { auditLog, close } = await openLog(data, { now: () => now });
    for (let day = 0; day < 3; day += 1) {
      auditLog.record(event);
      await eventually(() => expect(auditLines(data)).toHaveLength(day + 1));
      now += 86_400_000;
    }
    await close();
    const files = auditFiles(data);
    expect(files.map((file) => file.slice(-23))).toEqual([
      '0000000000000001.ndjson',
      '0000000000000002.ndjson',
      '0000000000000003.ndjson',
    ]);
    expect((await verify(data)).code).toBe(0);
    const second = files[1]!;
    renameSync(second, `${second}.away`);
    await expectFault(data, /0000000000000003\.ndjson:1: it is record 3, and record 2 is missing/);
    renameSync(`${second}.away`, second.replace('2.ndjson', '5.ndjson'));
    await expectFault(data, /missing/);
  });

  test('says how it is used, and where there is no log', async () => {
    expect(await runCli(['audit'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('needs a command: search, verify'),
    });
    expect(await verify(newFolder())).toMatchObject({ code: 1, stderr: expect.stringContaining('ENOENT') });
  });
});

test('a checkpoint is a signed note that the public key verifies', async () => {
  const data = await written(2);
  const note = readFileSync(join(data, 'audit/checkpoint.txt'), 'utf8');
  const publicKey = createPublicKey(readFileSync(join(data, 'signing-key.pem')));
  const { hash } = JSON.parse(auditLines(data)[1]!);
  expect(note).toMatch(
    new RegExp(
      `^countersign/audit\\n.+\\n2\\n${hash}\\n\\d+\\n\\n— countersign/audit [A-Za-z0-9+/=]{92}\\n$`,
    ),
  );
  expect(readCheckpoint(note, publicKey)).toMatchObject({ seq: 2, hash });
});

describe('a log that goes on', () => {
  test('after kill -9: nothing that was written is lost, a torn line is cut off, the chain continues', async () => {
    const data = newFolder();
    const config = configOf({
      config: { audit, data },
      limits: { framesPerSecond: null, refusedProofsPerMinute: 9999 },
    });
    const mortal = await MortalBroker.start(config);
    const client = await connect(mortal.broker);
    for (let n = 0; n < 300; n += 1) client.askFor(`private-${n % 150}`);
    await eventually(() => expect(auditLines(data).length).toBeGreaterThan(20));
    await mortal.end('SIGKILL');
    const before = auditLines(data).length;
    appendFileSync(auditFiles(data).at(-1)!, '{"app":"app-1","at_ms":17');
    await expectFault(data, new RegExp(`ndjson:${before + 1}: the line has no end`));

    const { log, lines } = recordLog('warn');
    const again = await startServer({ config: { audit, data }, parts: { log } });
    expect(lines.map(({ msg }) => msg)).toContain('audit record that was not written to its end is removed');
    await (await connect(again)).join('private-last');
    await eventually(() => expect(auditLines(data)).toHaveLength(before + 1));
    await again.close();
    expect(await verify(data)).toMatchObject({ code: 0 });
  });

  test('never hides what somebody has cut off while the broker was away', async () => {
    const data = await written(4);
    const [file = ''] = auditFiles(data);
    writeFileSync(file, `${auditLines(data).slice(0, 2).join('\n')}\n`);
    const { log, lines } = recordLog('error');
    const broker = await startServer({ config: { audit, data }, parts: { log } });
    expect(lines.map(({ msg }) => msg)).toContain('audit records are missing at the end of the log');
    await (await connect(broker)).join('private-a');
    await broker.close();
    await expectFault(data, /it is record 5, and record 3 is missing/);
  });

  test('refuses to start on a line that is no record', async () => {
    const data = await written(1);
    writeFileSync(auditFiles(data)[0]!, `${randomBytes(40).toString('hex')}\n`);
    await expect(startServer({ config: { audit, data } })).rejects.toThrow(/cannot be continued/);
  });

  test('with a clock that steps back, and forward again', async () => {
    const data = newFolder();
    let now = Date.now();
    const { auditLog, close } = await openLog(data, { now: () => now });
    for (const step of [0, -3600_000, -10 * 86_400_000, 20 * 86_400_000]) {
      now += step;
      auditLog.record(event);
      const { length } = auditLines(data);
      await eventually(() => expect(auditLines(data)).toHaveLength(length + 1));
    }
    await close();
    expect(await verify(data)).toMatchObject({ code: 0 });
  });
});

describe('old records', () => {
  test('go with their whole file once the last of them is too old, whatever a wrong clock says', async () => {
    const data = newFolder();
    const day = 86_400_000;
    let now = Date.now() - 5 * day;
    const first = await openLog(data, { now: () => now });
    for (let n = 0; n < 5; n += 1) {
      first.auditLog.record(event);
      await eventually(() => expect(auditLines(data)).toHaveLength(n + 1));
      now += day;
    }
    await first.close();
    expect(auditFiles(data)).toHaveLength(5);

    const second = await openLog(data, { now: () => now, keepMs: 2.5 * day });
    expect(auditFiles(data).map((file) => file.slice(-9))).toEqual(['04.ndjson', '05.ndjson']);
    // A clock that jumps by a year removes nothing.
    now += 365 * day;
    second.auditLog.record(event);
    await eventually(() => expect(auditLines(data)).toHaveLength(3));
    await second.close();
    expect(await verify(data)).toMatchObject({ code: 0, stdout: expect.stringContaining('3 records') });
  });

  test('go, the oldest first, where all have too many bytes', async () => {
    const data = newFolder();
    const { auditLog, metrics, lines, close } = await openLog(data, { maxBytes: 40_000 });
    for (let n = 0; n < 400; n += 1) {
      auditLog.record({ ...event, channel: `private-${n}`.padEnd(100, 'x') });
      if (n % 20 === 0) await eventually(() => expect(auditLog.waiting).toBe(0));
    }
    await close();
    const bytes = auditFiles(data).reduce((sum, file) => sum + statSync(file).size, 0);
    expect(bytes).toBeLessThan(80_000);
    expect(metrics.bounds.get('audit_bytes')).toBeGreaterThan(0);
    expect(lines.some(({ msg, type }) => msg === 'bound reached' && type === 'audit_bytes')).toBe(true);
    expect(await verify(data)).toMatchObject({ code: 0 });
  });
});

describe('a disk that is full', () => {
  test.each([false, true])(
    'is one outage in the log; with required %s grants are refused meanwhile',
    async (required) => {
      const disk = smallDisk();
      if (!disk) return;
      const data = join(disk.folder, 'data');
      const { log, lines } = recordLog('info');
      const config = { audit: { enabled: true, required }, data };
      const broker = await startServer({ config, limits: { framesPerSecond: null }, parts: { log } });
      const said = (msg: string) => lines.filter((line) => line.msg === msg).length;
      const client = await connect(broker);
      await client.join('private-first');
      disk.fill();
      for (let n = 0; said('audit records cannot be written') === 0; n += 1) {
        await client.join(`private-${n % 100}`);
        client.unsubscribe(`private-${n % 100}`);
      }
      expect(String(await client.join('private-meanwhile'))).toContain(
        required ? 'pusher:subscription_error' : 'subscription_succeeded',
      );
      const { body: ready } = { body: (await (await fetch(`${broker.url}/ready`)).json()) as object };
      expect(ready).toMatchObject({ status: 'degraded', reason: 'The audit log cannot be written' });

      disk.free();
      await eventually(() => expect(said('audit records are written again')).toBe(1));
      expect(String(await client.join('private-after'))).toContain('subscription_succeeded');
      expect(said('audit records cannot be written')).toBe(1);
      await broker.close();
      expect(await verify(data)).toMatchObject({ code: 0 });
      const channels = auditLines(data).map((line) => JSON.parse(line).channel);
      expect(channels).toEqual(
        expect.arrayContaining(['private-first', 'private-meanwhile', 'private-after']),
      );
    },
  );
});

test('workers refuse grants as well while their parent cannot write a log that is required', async () => {
  const disk = smallDisk();
  if (!disk) return;
  const data = join(disk.folder, 'data');
  const group = await startWorkers({ config: { audit: { enabled: true, required: true }, data } });
  const client = await connect(group);
  await client.join('private-first');
  disk.fill();
  const answers = async (): Promise<string> => {
    client.unsubscribe('private-a');
    return String(await client.join('private-a'));
  };
  await eventually(async () => expect(await answers()).toContain('pusher:subscription_error'));
  disk.free();
  await eventually(async () => expect(await answers()).toContain('subscription_succeeded'));
}, 60_000);

test('records that find no room are counted, said in the log, and recorded as lost', async () => {
  const data = newFolder();
  const { log, lines } = recordLog();
  const metrics = new Metrics();
  const { privateKey } = SigningKey.open(undefined, data)!;
  const retention = new Retention({ keepMs: 1e9, maxBytes: 1e9, metrics, log, now: Date.now });
  const parts = { data, node: 'node', privateKey, retention, maxFileBytes: 1e9, log, now: Date.now };
  const store = await FileStore.open(parts);
  const auditLog = new AuditLog({
    store,
    isRequired: false,
    fullAddresses: false,
    metrics,
    log,
    now: Date.now,
  });
  for (let n = 0; n < 60_000; n += 1) auditLog.record(event);
  await eventually(() => expect(auditLog.waiting).toBe(0), 60_000);
  await auditLog.close();
  expect(metrics.auditRecordsLost).toBe(10_000);
  expect(lines.filter(({ type }) => type === 'audit_records')).toHaveLength(1);
  expect(auditLines(data).filter((line) => line.includes('records_lost'))).toHaveLength(1);
  expect(await verify(data)).toMatchObject({ code: 0, stdout: expect.stringContaining('50001 records') });
}, 120_000);

test('the metrics count what was written', async () => {
  const broker = await startServer({ config: { audit, data: newFolder() } });
  await (await connect(broker)).join('private-a');
  await eventually(async () => expect(await findAudit(broker)).toHaveLength(1));
  const samples = await readSamples(broker.metricsUrl!);
  expect(samples.get('countersign_audit_records_total')).toBe(1);
  expect(samples.get('countersign_audit_records_lost_total')).toBe(0);
  expect((await request(broker, 'GET', '/audit', { query: { limit: '5' } })).status).toBe(200);
});
