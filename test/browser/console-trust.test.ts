import { expect, test } from 'vitest';
import { connect } from '../helpers/clients/client.ts';
import { granted, inSeconds } from '../helpers/clients/grants.ts';
import { newFolder } from '../helpers/folder.ts';
import { describeInChromium } from './chromium.ts';
import { DEADLINE, openSignedIn } from './console-page.ts';

const PRIVATE = 'private-team';

describeInChromium('what the console shows of trust', () => {
  test('a channel tells who holds a grant until when, revokes one, and the log of the grant has it all', async () => {
    const opened = await openSignedIn({
      config: { audit: { enabled: true }, data: newFolder() },
    });
    const { page, broker } = opened;
    const [ann, bob] = [await connect(broker), await connect(broker)];
    await ann.join(PRIVATE, granted({ id: 'g-ann', user: 'ann', exp: inSeconds(600) }));
    await bob.join(PRIVATE, granted({ id: 'g-bob', user: 'bob', exp: inSeconds(600) }));
    await opened.view('Channels');
    await page.getByRole('link', { name: PRIVATE }).click();
    const grants = page.getByRole('table', { name: 'Grants' });
    const row = grants.getByRole('row', { name: 'bob' });
    await row.getByText(/^in (9|10) min$/).waitFor(DEADLINE);
    expect(await opened.violations()).toEqual([]);

    await row.getByRole('button', { name: 'Revoke' }).click();
    await opened.sees(/^Ended 1 subscription and 0 connections; 1 of 1 node confirmed in \d+ ms\.$/);
    await row.waitFor({ state: 'detached', ...DEADLINE });
    expect(await bob.nextMessage()).toMatchObject({
      event: 'pusher:subscription_error',
      channel: PRIVATE,
    });
    expect(await ann.nothing()).toEqual([]);

    const cara = await connect(broker);
    await cara.join('presence-room', { user_id: 'cara' });
    await page.goto(`${broker.url}/console/#/channels/presence-room`);
    await grants.getByRole('row', { name: 'cara' }).waitFor(DEADLINE);
    await page.getByRole('button', { name: 'Revoke all' }).click();
    await page
      .getByRole('dialog', { name: 'Revoke all grants?' })
      .getByRole('button', { name: 'Revoke all' })
      .click();
    expect(await cara.nextMessage()).toMatchObject({ event: 'pusher:subscription_error' });
    await opened.sees(/^Ended 1 subscription and 0 connections/);
    await page.goto(`${broker.url}/console/#/channels/${PRIVATE}`);

    await grants.getByRole('row', { name: 'ann' }).getByRole('link', { name: 'Log' }).click();
    await page.getByRole('heading', { name: 'Audit', level: 2 }).waitFor(DEADLINE);
    const records = page.getByRole('table', { name: 'Records' });
    await records.getByRole('rowheader', { name: 'grant used' }).waitFor(DEADLINE);
    expect(await records.getByRole('rowheader').count()).toBe(1);
    await page.getByLabel('Grant').fill('g-bob');
    await page.getByRole('button', { name: 'Search' }).click();
    await records.getByRole('rowheader', { name: 'grant revoked' }).waitFor(DEADLINE);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('audit');

    await records.getByRole('link', { name: 'bob' }).first().click();
    await page.getByRole('heading', { name: 'What happened' }).waitFor(DEADLINE);
    await records.getByRole('rowheader', { name: 'grant revoked' }).waitFor(DEADLINE);
    expect(opened.errors).toEqual([]);
  });

  test('a recording is started for a user, read step by step, and stopped', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    await opened.view('Recordings');
    await opened.sees('Nothing is recorded');
    expect(await opened.violations()).toEqual([]);
    await page.getByLabel('User or socket id').fill('ann');
    await page.getByRole('button', { name: 'Record' }).click();
    await page.getByRole('link', { name: 'user ann' }).click();
    await opened.sees('No step yet');

    const ann = await connect(broker);
    await ann.signIn({ id: 'ann' });
    ann.subscribe('private-other', { auth: 'key-1:0' });
    await ann.next();
    const steps = page.getByRole('table', { name: 'Steps' });
    await steps.getByRole('rowheader', { name: 'subscription refused' }).waitFor(DEADLINE);
    expect((await steps.getByRole('rowheader').allTextContents()).map((text) => text.trim())).toEqual([
      'recording',
      'signed in',
      'sent',
      'received',
      'subscription refused',
      'sent',
    ]);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('recording');

    await page.getByRole('button', { name: 'Stop and forget' }).click();
    await opened.sees('Nothing is recorded');
    expect(opened.errors).toEqual([]);
  });

  test('without an audit log the page says how to get one', async () => {
    const opened = await openSignedIn();
    await opened.view('Audit');
    await opened.sees(/^The audit log is off/);
    expect(await opened.violations()).toEqual([]);
    expect(opened.errors).toEqual([]);
  });
});
