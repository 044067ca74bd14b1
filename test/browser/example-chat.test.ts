import type { BrowserContext, Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { startChat } from '../helpers/chat.ts';
import { describeInChromium, freshContext } from './chromium.ts';

const DEADLINE = { timeout: 10_000 };

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
});
