import type { CountersignOptions } from '@countersign/sdk-client';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { expect } from 'vitest';
import { APP } from '../helpers/brokers/server.ts';
import { DEADLINE_MS } from '../helpers/deadline.ts';
import { type Artefact, PATHS, type Site } from './site.ts';

/** What travels into the page as it is. */
type PlainOptions = Partial<
  Omit<CountersignOptions, 'encryption' | 'WebSocket' | 'fetch' | 'clock' | 'auth'>
>;

interface Heard {
  readonly source: string;
  readonly event: string;
  readonly data: unknown;
  readonly isHonest: boolean;
}

/** A page with a client in it. */
export class Tab {
  /** Errors that no code of the page caught, and what it wrote to the console as an error. */
  readonly errors: string[] = [];

  constructor(
    readonly page: Page,
    readonly devtools: CDPSession,
  ) {
    page.on('pageerror', (error) => this.errors.push(String(error)));
  }

  connect(port: number, options: PlainOptions = {}): Promise<unknown> {
    const loopback = { host: '127.0.0.1', port, forceTLS: false, reconnect: { minDelay: 10, maxDelay: 100 } };
    return this.#ask('connect', APP.key, { ...loopback, ...options });
  }

  subscribe(...names: string[]): Promise<unknown> {
    return this.#ask('subscribe', names);
  }

  /** Subscribes, and waits until all are joined. */
  async join(...names: string[]): Promise<void> {
    await this.subscribe(...names);
    for (const name of names) await this.next(name, 'pusher:subscription_succeeded');
  }

  trigger(name: string, event: string, data: unknown): Promise<unknown> {
    return this.#ask('trigger', name, event, data);
  }

  signin(): Promise<unknown> {
    return this.#ask('signin');
  }

  /** The code of the refusal of a channel, or null once it is subscribed. */
  ready(name: string): Promise<unknown> {
    return this.#ask('ready', name);
  }

  state(): Promise<unknown> {
    return this.#ask('state');
  }

  socketId(): Promise<unknown> {
    return this.#ask('socketId');
  }

  members(name: string): Promise<unknown> {
    return this.#ask('members', name);
  }

  /** The data of the next event of a channel, of the `client`, its `connection`, its `user`, a `socket` or the `page`. */
  next(source: string, event: string): Promise<unknown> {
    return this.#ask('next', source, event);
  }

  /** The next event is a new one. */
  forget(): Promise<unknown> {
    return this.#ask('forget');
  }

  /** Brings another page in front of it. */
  async hide(): Promise<void> {
    const other = await this.page.context().newPage();
    await other.bringToFront();
    await this.next('page', 'hidden');
  }

  /** Brings it in front. */
  async show(): Promise<void> {
    await this.page.bringToFront();
    await this.next('page', 'visible');
  }

  /** Stops everything in it, as browsers do with pages that nobody has seen for long. It must be hidden. */
  async freeze(): Promise<void> {
    await this.devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
  }

  async thaw(): Promise<void> {
    await this.devtools.send('Page.setWebLifecycleState', { state: 'active' });
    await this.next('page', 'resume');
  }

  /** At no moment that anything was heard, the state claimed a socket that was not there; and nothing went wrong. */
  async expectHonest(): Promise<void> {
    const heard = (await this.page.evaluate('probe.heard')) as Heard[];
    expect(heard.filter(({ isHonest, event }) => !isHonest || event === 'violation')).toEqual([]);
    expect(this.errors).toEqual([]);
  }

  async #ask(verb: string, ...values: unknown[]): Promise<unknown> {
    const answer = this.page.evaluate(
      ([name, given]) =>
        (globalThis as unknown as { probe: Record<string, (...values: unknown[]) => unknown> }).probe[name]?.(
          ...given,
        ),
      [verb, values] as const,
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DEADLINE_MS);
    }).then(async () => {
      const heard = await this.page.evaluate('probe.heard');
      throw new Error(`No answer to ${[verb, ...values].join(' ')}; heard ${JSON.stringify(heard, null, 1)}`);
    });
    return Promise.race([answer, late]).finally(() => clearTimeout(timer));
  }
}

/** Opens a page of the site, as this user if one is named. */
export async function openTab(
  context: BrowserContext,
  site: Site,
  { artefact = 'script', user }: { readonly artefact?: Artefact; readonly user?: string } = {},
): Promise<Tab> {
  const page = await context.newPage();
  if (user) await page.goto(`${site.url}/login?user=${user}`);
  const tab = new Tab(page, await context.newCDPSession(page));
  await page.goto(site.url + PATHS[artefact]);
  await tab.next('page', 'ready');
  return tab;
}
