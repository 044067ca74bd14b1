/** The rooms, and the members of the lounge. */
import { client, rooms, user } from './client.js';
import { found } from './found.js';

/**
 * @typedef {import('./client.js').Message} Message
 * @typedef {import('./client.js').Session} Session
 */

/** Shortest interval between typing events, in ms. */
const TYPING_EVERY = 2000;
const TYPING_SHOWN = 3000;

const lounge = client.subscribe('presence-lounge');
for (const event of /** @type {const} */ ([
  'pusher:subscription_succeeded',
  'pusher:member_added',
  'pusher:member_removed',
])) {
  lounge.bind(event, showMembers);
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let typingShown;
lounge.on('client-typing', (_data, { user_id: id = '' }) => {
  // The broker sets the id; a name in the data could be forged.
  const name = lounge.members.get(id)?.info.name;
  if (name) found(document.querySelector('#typing')).textContent = `${name} is typing …`;
  clearTimeout(typingShown);
  typingShown = setTimeout(() => found(document.querySelector('#typing')).replaceChildren(), TYPING_SHOWN);
});

for (const room of rooms) openRoom(room);

/** @param {Session['rooms'][number]} room */
function openRoom({ id, title, channel: name }) {
  const template = found(document.querySelector('template'));
  const room = document.importNode(template.content, true);
  const [heading, log, form, input, problem] = [
    found(room.querySelector('h2')),
    found(room.querySelector('div')),
    found(room.querySelector('form')),
    found(room.querySelector('input')),
    found(room.querySelector('p')),
  ];
  heading.textContent = title;
  log.ariaLabel = `Messages in the ${title}`;
  template.before(room);

  const channel = client.subscribe(name);
  channel.on('message', (message) => showMessage(log, message));
  channel.on('pusher:subscription_error', ({ message }) => {
    problem.textContent = message;
  });

  let lastTyping = 0;
  input.addEventListener('input', () => {
    // Encrypted channels have no client events.
    if (id !== 'lounge' || Date.now() - lastTyping < TYPING_EVERY) return;
    lastTyping = Date.now();
    lounge.trigger('client-typing', {});
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const text = input.value;
    // Cleared at once: text typed during the request belongs to the next message.
    form.reset();
    const answer = await fetch('/messages', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ room: id, text, socketId: client.connection.socket_id }),
    });
    const body = await answer.json();
    problem.textContent = answer.ok ? '' : body.error;
    if (answer.ok) showMessage(log, body);
    else input.value ||= text;
  });
}

function showMembers() {
  /** @type {HTMLLIElement[]} */
  const items = [];
  lounge.members.each(({ id, info }) => {
    const item = document.createElement('li');
    item.textContent = id === user.id ? `${info.name} (you)` : info.name;
    items.push(item);
  });
  found(document.querySelector('#members')).replaceChildren(...items);
}

/**
 * @param {HTMLElement} log
 * @param {Message} message
 */
function showMessage(log, { from, text, at }) {
  const [item, author, time] = [
    document.createElement('li'),
    document.createElement('strong'),
    document.createElement('time'),
  ];
  author.textContent = from;
  time.dateTime = at;
  time.textContent = new Date(at).toLocaleTimeString();
  item.append(author, ' ', time, document.createElement('br'), text);
  found(log.querySelector('ol')).append(item);
  item.scrollIntoView({ block: 'nearest' });
}
