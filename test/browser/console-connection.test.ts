import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { connect, connectCapable } from '../helpers/clients/client.ts';
import { describeInChromium } from './chromium.ts';
import { DEADLINE, openSignedIn } from './console-page.ts';

describeInChromium('the page of a connection', () => {
  test('shows who it is, its channels and events, and ends it; every socket id leads there', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    const ann = await connect(broker);
    await ann.signIn({ id: 'ann' });
    await ann.join('presence-room', { user_id: 'ann' });
    await ann.join('news');
    await opened.view('Events');
    await page.getByRole('link', { name: ann.socketId }).first().click();
    await opened.sees('open');
    const channels = page.getByRole('table', { name: 'Channels' });
    await channels.getByRole('rowheader', { name: 'presence-room' }).waitFor(DEADLINE);
    expect(await channels.getByRole('row').count()).toBe(3);
    await page.getByRole('definition').getByRole('link', { name: 'ann' }).waitFor(DEADLINE);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('connection');

    await channels.getByRole('button', { name: 'Revoke' }).click();
    await opened.sees(/^Ended 1 subscription/);
    await channels
      .getByRole('rowheader', { name: 'presence-room' })
      .waitFor({ state: 'detached', ...DEADLINE });
    await page.getByRole('button', { name: 'End the connection' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'End it' }).click();
    expect(await ann.closed()).toMatchObject({ code: 4009 });
    await opened.sees('not connected');
    await opened.sees('4009');

    await page.keyboard.press('Control+k');
    await page.getByRole('combobox').fill(ann.socketId);
    await page.getByRole('option', { name: `${ann.socketId} connection` }).waitFor(DEADLINE);
    await page.keyboard.press('Escape');
    expect(opened.errors).toEqual([]);
  });

  test('keeps its user out on a phone, too', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    const bob = await connect(broker);
    await bob.signIn({ id: 'bob' });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${broker.url}/console/#/connections/${bob.socketId}`);
    await page.getByLabel('Keep out').selectOption({ label: 'for an hour' });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    await page.getByRole('button', { name: 'End everything of the user' }).click();
    expect(await bob.closed()).toMatchObject({ code: 4009 });
    await opened.sees('not connected');
    const again = await connect(broker);
    expect(await again.signIn({ id: 'bob' })).toContain('"error_code":"blocked"');
  });
});

describeInChromium('the history in the console', () => {
  const history = [{ channels: 'news*', seconds: 600, messages: 100, rewind: 2 }];

  test('shows what a channel keeps with positions, who has all of it and who does not read, and how clients came back', async () => {
    const opened = await openSignedIn({ app: { history } });
    const { page, broker } = opened;
    const reader = await connectCapable(broker);
    await reader.join('news');
    await publish(broker, 'news', 'headline', '{"n":1}');
    await publish(broker, 'news', 'headline', '{"n":2}');
    await page.goto(`${broker.url}/console/#/channels/news`);
    const kept = page.getByRole('table', { name: 'History' });
    await kept.getByRole('row').nth(2).waitFor(DEADLINE);
    await opened.sees(/keeps 100 events for 10 min, and sends the last 2 to a new subscriber/);
    await kept
      .getByRole('button', { name: /^Data of the event at / })
      .first()
      .click();
    await opened.sees('"n": 2');
    const subscribers = page.getByRole('table', { name: 'Subscribers' });
    await subscribers.getByText('has all').waitFor(DEADLINE);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('history');

    const position = await kept.getByRole('row').last().getByRole('cell').last().textContent();
    const other = await connectCapable(broker);
    other.subscribe('news', { after: position });
    expect(await other.nextMessage()).toMatchObject({ recovery: { status: 'replayed', count: 1 } });
    const lost = await connectCapable(broker);
    lost.subscribe('news', { after: 'never-given' });
    expect(await lost.nextMessage()).toMatchObject({ recovery: { status: 'lost' } });

    // A client that does not read: its kernel takes some megabytes, then they wait in the broker.
    reader.socket.pause();
    const text = JSON.stringify({ text: 'x'.repeat(9000) });
    const isTold = () => subscribers.getByText(/ KB not read$/).isVisible();
    for (let n = 0; n < 2000 && !(await isTold()); n += 1) await publish(broker, 'news', 'long', text);
    await opened.screenshots('history-behind');
    expect(await isTold()).toBe(true);
    reader.socket.resume();
    await opened.view('Live');
    await opened.figure('replayed', (value) => value === 1);
    await opened.figure('lost', (value) => value === 1);
    expect(opened.errors).toEqual([]);
  });
});
