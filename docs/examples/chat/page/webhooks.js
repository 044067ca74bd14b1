/** What the backend was told by webhooks, for who may see it. */
import { client, seesWebhooks } from './client.js';
import { found } from './found.js';

/** @typedef {import('./client.js').Told} Told */

const SHOWN = 50;

/** @type {Told[]} the newest first */
let shown = [];

if (seesWebhooks) {
  found(document.querySelector('#webhooks')).removeAttribute('hidden');
  const channel = client.subscribe('private-webhooks');
  channel.bind('received', (event) => show([event]));
  // On each new connection, for what came before it.
  channel.bind('pusher:subscription_succeeded', async () => {
    const answer = await fetch('/webhooks');
    if (answer.ok) show(await answer.json());
  });
}

/** @param {Told[]} events */
function show(events) {
  // Some come twice: live and in the answer, or because the broker sent them again.
  const byId = new Map([...shown, ...events].map((event) => [event.id, event]));
  shown = [...byId.values()].sort((a, b) => b.at - a.at || b.seq - a.seq).slice(0, SHOWN);
  found(document.querySelector('#webhooks ol')).replaceChildren(...shown.map(itemOf));
}

/** @param {Told} event */
function itemOf({ name, at, channel, user_id, event, reason }) {
  const [item, title, time] = [
    document.createElement('li'),
    document.createElement('strong'),
    document.createElement('time'),
  ];
  title.textContent = name;
  time.dateTime = new Date(at).toISOString();
  time.textContent = new Date(at).toLocaleTimeString();
  item.append(title, ' ', time, document.createElement('br'));
  item.append([channel, user_id, event, reason].filter(Boolean).join(', '));
  return item;
}
