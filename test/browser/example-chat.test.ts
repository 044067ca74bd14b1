import type { BrowserContext, Page, Route } from 'playwright-core';
import { expect, test } from 'vitest';
import { startChat } from '../helpers/brokers/chat.ts';
import { Inbox } from '../helpers/clients/event-inbox.ts';
import { DEADLINE_MS } from '../helpers/deadline.ts';
import { addAxe, violations } from './accessibility.ts';
import { describeInChromium, freshContext } from './chromium.ts';

const DEADLINE = { timeout: DEADLINE_MS };

/** A window with the page of the chat. */
class Window {
  /** What the page could not do, what its policy forbids included. */
  readonly errors: string[] = [];

  private constructor(readonly page: Page) {
    page.on('pageerror', (error) => this.errors.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && this.errors.push(message.text()));
  }

  static async logIn(context: BrowserContext, url: string, name: string): Promise<Window> {
    const window = new Window(await context.newPage());
    await window.page.goto(url);
    await window.page.getByLabel('Your name').fill(name);
    await window.page.getByRole('button', { name: 'Log in' }).click();
    await window.sees('#state', 'connected');
    return window;
  }

  /** Waits for a text at a place of the page. */
  async sees(place: string, text: string | RegExp): Promise<void> {
    await this.page.locator(place).filter({ hasText: text }).first().waitFor(DEADLINE);
  }

  /** Waits until so many devices are listed, of which this is one. */
  async seesDevices(count: number): Promise<void> {
    await expect.poll(() => this.page.locator('#devices li').count(), DEADLINE).toBe(count);
    expect(await this.page.locator('#devices li', { hasText: 'This device' }).count()).toBe(1);
  }

  async press(button: string): Promise<void> {
    await this.page.getByRole('button', { name: button }).click();
  }
}

describeInChromium('the chat', () => {
  test('lists devices as they come and go, and ends all of them with the reason', async () => {
    const { url } = await startChat();
    const phone = await Window.logIn(await freshContext(), url, 'Ann');
    const laptop = await Window.logIn(await freshContext(), url, 'Ann');
    const bob = await Window.logIn(await freshContext(), url, 'Bob');
    for (const window of [phone, laptop]) await window.seesDevices(2);
    await bob.seesDevices(1);
    await laptop.page.reload();
    for (const window of [phone, laptop]) await window.seesDevices(2);

    await phone.press('Sign out everywhere');
    for (const window of [phone, laptop]) {
      await window.page.getByLabel('Your name').waitFor(DEADLINE);
      await window.sees('#reason', 'Signed out everywhere');
    }
    await bob.seesDevices(1);
    await bob.sees('#state', 'connected');
    for (const { errors } of [phone, laptop, bob]) expect(errors).toEqual([]);
  });

  test('a device that was logged in by itself comes back when another logs out', async () => {
    const { url } = await startChat();
    const phone = await Window.logIn(await freshContext(), url, 'Ann');
    const laptop = await Window.logIn(await freshContext(), url, 'Ann');
    for (const window of [phone, laptop]) await window.seesDevices(2);
    await phone.press('Log out');
    await phone.page.getByLabel('Your name').waitFor(DEADLINE);
    await laptop.seesDevices(1);
    await laptop.sees('#state', 'connected');
    for (const { errors } of [phone, laptop]) expect(errors).toEqual([]);
  });

  test('all windows of a browser are logged out at once', async () => {
    const { url } = await startChat();
    const context = await freshContext();
    const first = await Window.logIn(context, url, 'Ann');
    await first.seesDevices(1);
    const second = await context.newPage();
    await second.goto(url);
    await first.seesDevices(2);
    await first.press('Log out');
    for (const page of [first.page, second]) await page.getByLabel('Your name').waitFor(DEADLINE);
  });

  test('shows the staff which webhooks the backend has received', async () => {
    const { url } = await startChat();
    const ann = await Window.logIn(await freshContext(), url, 'Ann');
    const eve = await Window.logIn(await freshContext(), url, 'Eve');
    await ann.sees('#webhooks li', /^user_online.*eve/);
    await ann.sees('#webhooks li', /^member_added.*presence-lounge, eve/);
    await eve.page.getByRole('textbox', { name: 'Message' }).pressSequentially('Hi');
    await ann.sees('#webhooks li', /^client_event.*presence-lounge, eve, client-typing/);
    await eve.page.close();
    await ann.sees('#webhooks li', /^user_offline.*eve, disconnected/);
    // What came before a page was loaded is there, too, and once.
    await ann.page.reload();
    await ann.sees('#webhooks li', /^user_online.*eve/);
    expect(await ann.page.locator('#webhooks li', { hasText: /^user_online.*eve/ }).count()).toBe(1);
    expect(eve.errors).toEqual([]);
    expect(ann.errors).toEqual([]);
  });

  test('what is typed while a message is sent stays, and so does what was refused', async () => {
    const { url } = await startChat();
    const { page, errors } = await Window.logIn(await freshContext(), url, 'Eve');
    const input = page.getByRole('textbox', { name: 'Message' });
    const messages = page.getByRole('log', { name: 'Lounge' }).getByRole('listitem');
    const sent = new Inbox<Route>('a message on its way');
    await page.route('**/messages', sent.put);
    await input.fill('one');
    await input.press('Enter');
    const first = await sent.next();
    await input.fill('two');
    await first.continue();
    await expect.poll(() => messages.count(), DEADLINE).toBe(1);
    expect(await input.inputValue()).toBe('two');

    await input.fill(' ');
    await input.press('Enter');
    await (await sent.next()).continue();
    await page.getByText('A message has 1 to').waitFor(DEADLINE);
    expect(await input.inputValue()).toBe(' ');
    expect(errors).toEqual([expect.stringContaining('400')]);
  });

  test.each([1180, 375])('axe-core finds nothing at a width of %i, light or dark', async (width) => {
    const { url } = await startChat();
    const context = await freshContext();
    await addAxe(context);
    const page = await context.newPage();
    await page.setViewportSize({ width, height: 700 });
    await page.goto(url);
    expect(await violations(page)).toEqual([]);

    const ann = await Window.logIn(context, url, 'Ann');
    await ann.page.setViewportSize({ width, height: 700 });
    await ann.seesDevices(1);
    const input = ann.page.getByRole('textbox', { name: 'Message' }).first();
    for (let n = 0; n < 10; n++) {
      await input.fill(`Message ${n}`);
      await input.press('Enter');
    }
    await ann.sees('li', 'Message 9');
    // Only spaces: it is refused, and says why.
    await input.fill(' ');
    await input.press('Enter');
    await ann.sees('.problem', 'A message has');
    await ann.sees('#webhooks li', 'client_event');
    expect(await violations(ann.page)).toEqual([]);
    expect(await ann.page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  });
});
