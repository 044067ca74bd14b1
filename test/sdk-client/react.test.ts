import type { Countersign } from '@countersign/sdk-client';
import {
  CountersignProvider,
  hooksFor,
  useChannel,
  useConnectionState,
  useCountersign,
  useEvent,
  usePresence,
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

function Everything(): ReactElement {
  useEvent('news', 'headline', () => {});
  const { members, me, isSubscribed } = usePresence('presence-lobby');
  const channel = useChannel('news');
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
  };
  expectTypeOf(Component).toBeFunction();
});
