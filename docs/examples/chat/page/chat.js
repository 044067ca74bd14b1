/** The rooms, and who is in the lounge. */
import { client, rooms, user } from './client.js';
import { found } from './found.js';

/**
 * @typedef {import('./client.js').Message} Message
 * @typedef {import('./client.js').Session} Session
 */

/** At most one notice in this time while somebody types, in ms. */
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
lounge.bind('client-typing', (_data, { user_id: id = '' }) => {
  // The broker vouches for the id; a name in the data could be anybody's.
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
  channel.bind('message', (message) => showMessage(log, message));
  channel.bind('pusher:subscription_error', ({ message }) => {
    problem.textContent = message;
  });

  let lastTyping = 0;
  input.addEventListener('input', () => {
    // Client events do not travel on encrypted channels.
    if (id !== 'lounge' || Date.now() - lastTyping < TYPING_EVERY) return;
    lastTyping = Date.now();
    lounge.trigger('client-typing', {});
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const text = input.value;
    // At once: what is typed while the answer is on its way belongs to the next message.
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
