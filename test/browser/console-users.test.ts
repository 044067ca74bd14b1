import { expect, test } from 'vitest';
import { connect } from '../helpers/clients/client.ts';
import { describeInChromium } from './chromium.ts';
import { DEADLINE, openSignedIn } from './console-page.ts';

describeInChromium('the users of the console', () => {
  test('show devices and grants; what is ended says what it hit, and a block can be lifted', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    const [desk, phone] = [await connect(broker), await connect(broker)];
    for (const client of [desk, phone]) {
      await client.signIn({ id: 'ann' });
      await client.join('presence-room', { user_id: 'ann' });
    }
    await opened.view('Users');
    expect(await opened.violations()).toEqual([]);
    await page.getByRole('link', { name: 'ann', exact: true }).click();
    await page.getByRole('rowheader', { name: desk.socketId }).waitFor(DEADLINE);
    expect(await page.getByRole('table', { name: 'Grants' }).getByRole('row').count()).toBe(3);
    await opened.sees('with the connection');
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('user');

    await page
      .getByRole('row', { name: desk.socketId })
      .getByRole('button', { name: 'End', exact: true })
      .click();
    expect(await desk.closed()).toMatchObject({ code: 4009 });
    await opened.sees(/^Ended 1 subscription and 1 connection; 1 of 1 node confirmed/);

    await page.getByLabel('Keep out').selectOption({ label: 'for an hour' });
    await page.getByRole('button', { name: 'End everything' }).click();
    expect(await phone.closed()).toMatchObject({ code: 4009 });
    await opened.sees('Not signed in on any connection.');
    await page.getByRole('button', { name: 'Lift' }).click();
    await opened.sees('The block is lifted.');
    await page.getByText('blocked until').waitFor({ state: 'detached', ...DEADLINE });
    expect(opened.errors).toEqual([]);
  });

  test('show the grants of a member, too, whose id cannot sign in', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    const client = await connect(broker);
    await client.join('presence-room', { user_id: 'ann/1: no sign-in' });
    await page.goto(`${broker.url}/console/#/channels/presence-room`);
    await page.getByRole('listitem').getByRole('link', { name: 'ann/1: no sign-in' }).click();
    await opened.sees('Not signed in on any connection.');
    await page.getByRole('table', { name: 'Grants' }).getByText(client.socketId).waitFor(DEADLINE);
    expect(opened.errors).toEqual([]);
  });
});
