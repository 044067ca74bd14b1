/** The list of webhook events, for users who may see it. */
import { client, seesWebhooks } from './client.js';
import { found } from './found.js';

/** @typedef {import('./client.js').WebhookEvent} WebhookEvent */

const SHOWN = 50;

/** @type {WebhookEvent[]} the newest first */
let shown = [];

if (seesWebhooks) {
  found(document.querySelector('#webhooks')).removeAttribute('hidden');
  const channel = client.subscribe('private-webhooks');
  channel.on('received', (event) => show([event]));
  // On each new connection, for the events before it.
  channel.on('pusher:subscription_succeeded', async () => {
    const answer = await fetch('/webhooks');
    if (answer.ok) show(await answer.json());
  });
}

/** @param {WebhookEvent[]} events */
function show(events) {
  // Some arrive twice: live and in the response, or because the broker sent them again.
  const byId = new Map([...shown, ...events].map((event) => [event.id, event]));
  shown = [...byId.values()].sort((a, b) => b.at - a.at || b.seq - a.seq).slice(0, SHOWN);
  found(document.querySelector('#webhooks ol')).replaceChildren(...shown.map(itemOf));
}

/** @param {WebhookEvent} event */
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
