import './probe.js';
import { Countersign } from '@countersign/sdk-client';
import {
  CountersignProvider,
  useChannel,
  useConnectionState,
  useEvent,
  usePresence,
} from '@countersign/sdk-client/react';
import { createElement, StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

/** How often effects have run: in strict mode twice when a component is mounted. */
globalThis.effects = 0;

const line = (id, text) => createElement('p', { id }, text);

const PARTS = {
  state: () => line('state', useConnectionState()),
  first: () => Headlines({ id: 'first' }),
  second: () => Headlines({ id: 'second' }),
  channel: () => line('channel', useChannel('news')?.name),
  lobby: Lobby,
};

function Headlines({ id }) {
  const [heard, setHeard] = useState('');
  useEffect(() => {
    globalThis.effects++;
  }, []);
  // A listener of this render, which must not hear with the state of an older one.
  useEvent('news', 'headline', (title) => setHeard(`${heard}${title} `));
  return line(id, heard);
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
    globalThis.show = setShown;
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
