/** `countersign usage`: a table, JSON, and exports as they come. */
import { expect, test } from 'vitest';
import { OWNER } from '../helpers/admin.ts';
import { publish } from '../helpers/api.ts';
import { runCli } from '../helpers/brokers/cli.ts';
import { APP, OTHER_APP, startServer } from '../helpers/brokers/server.ts';
import { newFolder } from '../helpers/folder.ts';
import { hasUsed } from '../helpers/usage.ts';

test('prints what the apps have used', { timeout: 120_000 }, async () => {
  const broker = await startServer({ config: { admin: { token: OWNER } } });
  const env = { XDG_CONFIG_HOME: newFolder(), COUNTERSIGN_URL: broker.url, COUNTERSIGN_TOKEN: OWNER };
  const run = (...args: string[]) => runCli(['usage', ...args], { env });
  await publish(broker, 'news', 'e', '1');
  await publish(broker, 'news', 'e', '1', {}, OTHER_APP);
  for (const { id } of [APP, OTHER_APP]) await hasUsed(broker, id, { messages_published: 1 });

  const table = await run();
  expect(table).toMatchObject({ code: 0, stderr: '' });
  const [heads, first, second] = table.stdout.split('\n');
  expect(heads).toMatch(/^from +app +peak +minutes +published +client events +delivered +in +out +refused/);
  expect(first).toMatch(/^\d{4}-\d\d-\d\d +app-1 +0 +0 +1 +0 +0 +\d+ B +0 B +0 +not complete$/);
  expect(second).toContain(OTHER_APP.id);

  const { stdout } = await run('--json', '--app', APP.id, '--unit', 'month', '--from', '2020-01-01');
  expect(JSON.parse(stdout)).toMatchObject({
    rows: [{ app: APP.id, unit: 'month', messages_published: 1, complete: false }],
  });
  const json = await run('--format', 'json', '--app', OTHER_APP.id);
  expect(JSON.parse(json.stdout)).toMatchObject({ rows: [{ app: OTHER_APP.id, unit: 'day' }] });
  const csv = await run('--format', 'csv', '--unit', 'hour');
  expect(csv.stdout).toMatch(/^app,from,unit,.*,complete\r\napp-1,.*,hour,.*,false\r\n/);

  expect(await run('--unit', 'week')).toMatchObject({ code: 2, stdout: '' });
  const wrong = await run('--from', 'yesterday', '--json');
  expect(wrong).toMatchObject({ code: 1, stdout: '' });
  expect(JSON.parse(wrong.stderr)).toMatchObject({ code: 'invalid_request', errors: [{ path: 'from' }] });
  expect(await run('--app', 'nobody', '--format', 'csv')).toMatchObject({ code: 1, stdout: '' });
});
