import { channelText } from '@countersign/sdk-server/signature';
import { expect, test } from 'vitest';
import { publish } from '../helpers/api.ts';
import { startReceiver, status } from '../helpers/brokers/receiver.ts';
import { APP, configOf, startServer } from '../helpers/brokers/server.ts';
import { authorize, connect } from '../helpers/clients/client.ts';
import { newFolder } from '../helpers/folder.ts';
import { describeInChromium } from './chromium.ts';
import { DEADLINE, openConsole, openSignedIn } from './console-page.ts';
import { playScene, SCENE_APP } from './console-scene.ts';
import { startAuthOrigin } from './site.ts';

describeInChromium('the console', () => {
  test('asks for a key and its secret, and keeps the user signed in until they sign out', async () => {
    const opened = await openConsole();
    await opened.signIn('wrong');
    await opened.sees('This key and secret do not match');
    expect(await opened.violations()).toEqual([]);
    await opened.screenshot('sign-in');
    await opened.signIn();
    await opened.live();
    await opened.page.reload();
    await opened.live();
    await opened.page.getByRole('button', { name: 'Sign out' }).click();
    await opened.page.getByLabel('Secret').waitFor(DEADLINE);
    await opened.page.reload();
    await opened.page.getByLabel('Secret').waitFor(DEADLINE);
    expect(opened.errors).toEqual([]);
  });

  test('makes a guesser wait', async () => {
    const opened = await openConsole();
    for (let attempt = 0; attempt < 10; attempt += 1) {
      const answer = opened.page.waitForResponse(/api\/session/);
      await opened.signIn(`guess-${attempt}`);
      expect((await answer).status()).toBe(401);
    }
    await opened.signIn();
    await opened.sees('Too many attempts from this address: wait a minute');
  });

  test('shows numbers that change when clients join and publish', async () => {
    const opened = await openSignedIn();
    const { broker } = opened;
    await opened.figure('connections', (value) => value === 0);
    const clients = await Promise.all(Array.from({ length: 3 }, () => connect(broker)));
    await opened.figure('connections', (value) => value === 3);
    for (const client of clients) await client.join('news');
    await opened.figure('channels', (value) => value === 1);
    await publish(broker, 'news', 'hello', '{}');
    await opened.figure('publishes', (value) => value > 0);
    clients[0]?.close();
    await opened.figure('connections', (value) => value === 2);
    expect(opened.errors).toEqual([]);
  });

  test('explains a refused subscription, and marks where the two texts differ', async () => {
    const opened = await openSignedIn();
    await opened.view('Events');
    const [before, now] = [await connect(opened.broker), await connect(opened.broker)];
    now.subscribe('private-room', { auth: authorize(before.socketId, 'private-room') });
    await opened.sees(/Another socket id was signed/);
    const [signed, expected] = await opened.page.locator('.diagnosis dd code').allTextContents();
    expect(signed).toBe(channelText(before.socketId, 'private-room'));
    expect(expected).toBe(channelText(now.socketId, 'private-room'));
    expect(await opened.page.locator('.diagnosis mark').count()).toBe(2);
    await opened.page.getByRole('button', { name: 'Refusals', exact: true }).click();
    await expect.poll(() => opened.page.locator('.entries > li').count(), DEADLINE).toBe(1);
    await opened.page.getByRole('button', { name: 'All', exact: true }).click();
    await opened.page.getByLabel('Filter').fill(`test/1.0 ${before.socketId}`);
    expect(await opened.page.locator('.entries > li').count()).toBe(1);
    expect(opened.errors).toEqual([]);
  });

  test('shows a channel: subscribers, members, the kept event and live events', async () => {
    const opened = await openSignedIn();
    const { broker, page } = opened;
    const ann = await connect(broker);
    await ann.join('presence-cache-lobby', { user_id: 'ann', user_info: { name: 'Ann' } });
    await publish(broker, 'presence-cache-lobby', 'kept', '{"a":1}');
    await opened.view('Channels');
    await page.getByLabel('Contains').fill('cache-lob');
    await page.getByRole('link', { name: 'presence-cache-lobby' }).click();
    const subscribers = page.getByRole('table', { name: 'Subscribers' });
    await subscribers.getByText(ann.socketId).waitFor(DEADLINE);
    await opened.sees('{"name":"Ann"}');
    await opened.sees('kept');
    await publish(broker, 'presence-cache-lobby', 'passing', '{"b":2}');
    await opened.sees('{"b":2}');
    expect(await opened.violations()).toEqual([]);
    expect(opened.errors).toEqual([]);
  });

  test('publishes an event, and shows the same as a curl command', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    const client = await connect(broker);
    await client.join('news');
    await opened.view('Publish');
    await page.getByLabel('Channel').fill('news');
    await page.getByLabel('Event').fill('hello');
    await page.getByLabel('Data').fill('{"text": ');
    await page.getByRole('button', { name: 'Publish' }).click();
    await opened.sees('The data is not valid JSON.');
    await page.getByLabel('Data').fill('{"text": "hi"}');
    await page.getByRole('button', { name: 'Publish' }).click();
    expect(await client.next()).toBe('{"event":"hello","channel":"news","data":"{\\"text\\": \\"hi\\"}"}');
    await opened.sees(/^Published at .* to 1 subscriber\.$/);
    await page.getByLabel('Channel').fill('nobody-here');
    await page.getByRole('button', { name: 'Publish' }).click();
    await opened.sees(/but nobody is subscribed to this channel/);
    await page.getByRole('button', { name: 'Show as curl' }).click();
    await opened.sees(/curl -H .*auth_signature=/);
    expect(await page.content()).not.toContain(APP.secret);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshot('publish');
    expect(opened.errors).toEqual([]);
  });

  test('replays a dead webhook, after a question', async () => {
    const receiver = await startReceiver();
    receiver.reply = status(500, {}, 'out of order');
    const webhooks = [{ id: 'orders', url: receiver.url(), events: ['channel_occupied'] }];
    const opened = await openSignedIn({ app: { webhooks }, config: { webhookRetrySeconds: 0 } });
    const client = await connect(opened.broker);
    await client.join('news');
    await receiver.next();
    await opened.page.getByRole('navigation').getByRole('link', { name: 'Webhooks' }).click();
    await opened.page.getByRole('button', { name: '1 dead' }).click();
    await opened.sees('500 out of order');
    expect(await opened.violations()).toEqual([]);
    await opened.page.getByRole('button', { name: /^Attempts of / }).click();
    const attempts = opened.page.getByRole('list', { name: 'Attempts' });
    await attempts.getByText('out of order').waitFor(DEADLINE);
    await opened.sees('"name": "channel_occupied"');
    expect(await opened.violations()).toEqual([]);
    await opened.screenshots('webhooks');
    receiver.reply = status(204);
    await opened.page.getByRole('button', { name: 'Replay', exact: true }).click();
    const question = opened.page.getByRole('dialog', { name: 'Replay: 1 delivery?' });
    expect(await opened.violations()).toEqual([]);
    await question.getByRole('button', { name: 'Cancel' }).click();
    await question.waitFor({ state: 'detached', ...DEADLINE });
    await opened.page.getByRole('button', { name: '1 dead' }).waitFor(DEADLINE);
    await opened.page.getByRole('button', { name: 'Replay', exact: true }).click();
    await question.getByRole('button', { name: 'Replay' }).click();
    expect((await receiver.nextEvent()).channel).toBe('news');
    await opened.page.getByRole('button', { name: '0 dead' }).waitFor(DEADLINE);
    expect(opened.errors).toEqual([]);
  });

  test('probes an auth endpoint as a page of the application would', async () => {
    const opened = await openSignedIn();
    const { page, broker } = opened;
    const probe = async (endpoint: string) => {
      await page.getByLabel('Endpoint').fill(endpoint);
      await page.getByRole('button', { name: 'Probe' }).click();
      await page.getByRole('button', { name: 'Probe', disabled: false }).waitFor(DEADLINE);
      return page.getByRole('table', { name: 'Findings' }).innerText();
    };
    await opened.view('Auth probe');
    await opened.live();

    const open = await startAuthOrigin(broker, broker.url);
    await page.context().request.get(`${open.url}/login?user=ann`);
    await page.getByLabel('Channel').fill('private-room');
    const good = await probe(`${open.url}/countersign/auth`);
    expect(good).toMatch(/CORS\s+ok/);
    expect(good).toMatch(/Cookies\s+ok\s+They identify the user: without them the endpoint answers 401/);
    expect(good).toMatch(/Signature\s+ok/);
    expect(await opened.violations()).toEqual([]);
    await opened.screenshot('probe');

    const shut = await startAuthOrigin(broker, 'http://elsewhere.example');
    expect(await probe(`${shut.url}/countersign/auth`)).toMatch(
      new RegExp(`CORS\\s+wrong.*Access-Control-Allow-Origin: ${broker.url}`),
    );
    expect(await probe('http://127.0.0.1:1/auth')).toMatch(/Reach\s+wrong/);
  });

  test('reconnects when the broker restarts, and asks for a sign-in when the secret has changed', async () => {
    const data = newFolder();
    const opened = await openSignedIn({ config: { data } });
    const { port } = opened.broker;
    await opened.broker.close();
    await opened.sees('connecting…');
    const broker = await startServer({ config: { port, data } });
    await opened.live();
    await connect(broker);
    await opened.figure('connections', (value) => value === 1);
    broker.reload(configOf({ app: { keys: [{ key: APP.key, secret: 'another secret' }] } }).apps);
    await opened.sees('Your session has ended. Sign in again.');
  });

  test('works with the keyboard alone', async () => {
    const { page } = await openSignedIn();
    await page.getByRole('link', { name: 'Live' }).focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Events', level: 2 }).waitFor(DEADLINE);
    await page.getByLabel('Filter').focus();
    await page.keyboard.type('nothing');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Pause', pressed: true }).waitFor(DEADLINE);
  });

  test('has no serious accessibility violation in light and dark', async () => {
    const opened = await openSignedIn({ app: SCENE_APP });
    const { page } = opened;
    await playScene(opened.broker);
    await opened.sees('All events');
    await opened.figure('connections', (value) => value === 15);

    const found: string[] = [];
    const look = async (name: string) => {
      await opened.screenshots(name);
      found.push(...(await opened.violations()).map((violation) => `${name}, ${violation}`));
    };
    await look('live');
    await opened.view('Channels');
    await opened.sees('presence-lobby');
    await look('channels');
    await page.getByRole('link', { name: 'presence-lobby' }).click();
    await opened.sees('{"name":"Ann"}');
    await opened.sees('{"id":');
    await look('channel');
    await opened.view('Events');
    await page.getByRole('button', { name: 'Refusals', exact: true }).click();
    await look('events');
    await opened.view('Keys');
    await look('keys');
    expect(found).toEqual([]);
    expect(opened.errors).toEqual([]);
  }, 200_000);
});
