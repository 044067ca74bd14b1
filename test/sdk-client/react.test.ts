import type { Countersign } from '@countersign/sdk-client';
import {
  CountersignProvider,
  hooksFor,
  useChannel,
  useConnectionState,
  useCountersign,
  useEvent,
  useEvents,
  useLatest,
  usePresence,
  useSubscription,
  useUser,
} from '@countersign/sdk-client/react';
import { createElement, type ReactElement } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, expectTypeOf, test } from 'vitest';
import { startClient } from '../helpers/clients/client-start.ts';
import { startEndpoint } from '../helpers/clients/fake-endpoint.ts';

interface Channels {
  news: { headline: { title: string } };
  'presence-lobby': { 'pusher:member': { name: string } };
}

/** What the hooks tell where there is nothing yet. */
const NOTHING = '[{"status":"idle","error":null},{"user":null,"error":null},[],null]';

function Everything(): ReactElement {
  useEvent('news', 'headline', () => {});
  const { members, me, isSubscribed } = usePresence('presence-lobby');
  const channel = useChannel('news');
  const told = [useSubscription('news'), useUser(), useEvents('news', 'e'), useLatest('news', 'e')];
  if (JSON.stringify(told) !== NOTHING) throw new Error(JSON.stringify(told));
  const count = usePresence('presence-lobby', ({ members: all }) => all.length);
  if (count !== 0) throw new Error('There are members');
  const shown = [
    useConnectionState(),
    String(channel),
    members.length,
    me,
    isSubscribed,
    useCountersign() !== null,
  ];
  return createElement('p', null, shown.join(' '));
}

const render = (client: Countersign | null) =>
  renderToString(createElement(CountersignProvider, { client }, createElement(Everything)));

test('on a server without a client, everything is as before the first connection', () => {
  expect(render(null)).toBe('<p>initialized undefined 0  false false</p>');
});

test('on a server with a client, nothing is subscribed', async () => {
  const client = startClient(await startEndpoint());
  expect(render(client)).toBe('<p>initialized undefined 0  false true</p>');
  expect(client.allChannels()).toEqual([]);
});

test('without a provider it says what is missing', () => {
  expect(() => renderToString(createElement(Everything))).toThrow('no CountersignProvider');
});

test('the hooks of an app know its channels', () => {
  const hooks = hooksFor<Channels>();
  expect(hooks.useChannel).toBe(useChannel);
  // Never called, for hooks only work in components.
  const Component = (): void => {
    hooks.useEvent('news', 'headline', ({ title }) => expectTypeOf(title).toEqualTypeOf<string>());
    // @ts-expect-error no such event
    hooks.useEvent('news', 'headlines', () => {});
    // @ts-expect-error no such channel
    hooks.useChannel('olds');
    expectTypeOf(hooks.usePresence('presence-lobby').me!.info).toEqualTypeOf<{ name: string }>();
    const names = hooks.usePresence('presence-lobby', ({ members }) => members.map(({ info }) => info.name));
    expectTypeOf(names).toEqualTypeOf<string[]>();
    expectTypeOf(hooks.useLatest('news', 'headline')).toEqualTypeOf<{ title: string } | undefined>();
    expectTypeOf(hooks.useEvents('news', 'headline')).toEqualTypeOf<readonly { title: string }[]>();
    hooks
      .useSubscription('news')
      .channel?.on('headline', ({ title }) => expectTypeOf(title).toEqualTypeOf<string>());
  };
  expectTypeOf(Component).toBeFunction();
});
