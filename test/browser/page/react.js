import './probe.js';
import { Countersign } from '@countersign/sdk-client';
import { CountersignDevtools } from '@countersign/sdk-client/devtools';
import {
  CountersignProvider,
  useChannel,
  useChannelState,
  useConnectionState,
  useCountersign,
  useEvent,
  useEvents,
  useLatest,
  usePresence,
  useSubscription,
  useUser,
} from '@countersign/sdk-client/react';
import { createElement, StrictMode, useEffect, useState } from 'react';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';

/** How often effects have run: in strict mode twice when a component is mounted. */
globalThis.effects = 0;
/** What has been heard, without any state of a component. */
globalThis.said = [];

const line = (id, text) => createElement('p', { id }, text);

const PARTS = {
  state: () => line('state', useConnectionState()),
  first: () => Headlines({ id: 'first' }),
  second: () => Headlines({ id: 'second' }),
  channel: () => line('channel', useChannel('news')?.name),
  access: Access,
  lobby: Lobby,
  labelled: Labelled,
  undecided: Undecided,
  counted: Counted,
  subscription: Subscription,
  events: () => line('events', useEvents('news', 'headline', { limit: 2 }).join(' ')),
  latest: () => line('latest', String(useLatest('cache-news', 'headline'))),
  named: Named,
  user: User,
  devtools: () => createElement(CountersignDevtools, { client: useCountersign(), initiallyOpen: true }),
};

function Headlines({ id }) {
  const [heard, setHeard] = useState('');
  useEffect(() => {
    globalThis.effects++;
  }, []);
  // Several events may come before the next render, so the state is set from the one before and not from that of a render.
  useEvent('news', 'headline', (title) => setHeard((before) => `${before}${title} `));
  return line(id, heard);
}

/** Hears with the label of its last render, which the test sets. */
function Labelled() {
  const [label, setLabel] = useState('first');
  globalThis.setLabel = (next) => flushSync(() => setLabel(next));
  useEvent('news', 'headline', (title) => globalThis.said.push(`${label} ${title}`));
  return line('labelled', label);
}

/** Does not know its channel at first. */
function Undecided() {
  const [name, setName] = useState(null);
  const [heard, setHeard] = useState('');
  globalThis.decide = setName;
  const channel = useChannel(name);
  useEvent(name, 'headline', (title) => setHeard((before) => `${before}${title} `));
  const { isSubscribed } = usePresence(name);
  return line('undecided', `${channel?.name ?? 'none'}: ${heard}${isSubscribed}`);
}

/** Shows a state, and the events after it. */
function Counted() {
  const state = useChannelState(
    'news',
    () => globalThis.loadState(),
    (before, { event, data }) => (event === 'headline' ? `${before} ${data}` : before),
  );
  return line('counted', state ?? 'loading');
}

/** Subscribes to what the test says, and says how far that is. */
function Subscription() {
  const [name, setName] = useState(null);
  globalThis.choose = setName;
  const { channel, status, error } = useSubscription(name);
  return line('subscription', `${channel?.name}: ${status}, ${error?.code}`);
}

/** Shows members by a selector that returns another array each time, and counts its renders. */
function Named() {
  const ids = usePresence('presence-lobby', ({ members }) => members.map(({ id }) => id).sort());
  globalThis.renders = (globalThis.renders ?? 0) + 1;
  return line('named', ids.join(' '));
}

function User() {
  const { user, error } = useUser();
  return line('user', `${user?.id}, ${error?.reason}`);
}

function Access() {
  const channel = useChannel('private-room');
  return line('access', `${channel?.status}: ${channel?.expiresAt}`);
}

function Lobby() {
  const { members, me, isSubscribed } = usePresence('presence-lobby');
  const ids = members.map(({ id }) => id).sort();
  return line('lobby', `${isSubscribed ? 'in' : 'out'}: ${ids.join(', ')}; me: ${me?.id}`);
}

function App({ onMount }) {
  const [shown, setShown] = useState([]);
  useEffect(() => {
    /** Shows the parts of these names, and nothing else. */
    // With their effects, so that they listen when this is done.
    globalThis.show = (names) => flushSync(() => setShown(names));
    onMount();
  }, [onMount]);
  return shown.map((part) => createElement(PARTS[part], { key: part }));
}

const root = createRoot(document.querySelector('main'));
globalThis.mount = () =>
  new Promise((onMount) => {
    const app = createElement(App, { onMount });
    const { client } = globalThis;
    root.render(createElement(StrictMode, null, createElement(CountersignProvider, { client }, app)));
  });

probe.use(Countersign);
