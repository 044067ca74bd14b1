/* The page of `countersign dev`: who is here, what arrives, code to copy, mistakes to make. */
import { addBreaks } from './breaks.js';
import { connect, element, user } from './client.js';
import { addSnippets } from './snippets.js';

const CHANNELS = ['news', 'private-notes', 'presence-lobby'];
const SHOWN_EVENTS = 200;
const HUES = 12;

element('user').textContent = user;
const client = connect('/countersign/auth');

const showState = () => {
  const { state } = client.connection;
  element('state').textContent = state;
  element('state').dataset.state = state;
};
client.connection.bind('state_change', showState);
showState();

for (const name of CHANNELS) {
  const row = element('channels').insertRow();
  const heading = document.createElement('th');
  heading.scope = 'row';
  heading.textContent = name;
  row.append(heading);
  const status = row.insertCell();
  status.textContent = 'subscribing';
  element('publish').elements.channel.add(new Option(name));

  const channel = client.subscribe(name);
  channel.bind('pusher:subscription_succeeded', () => {
    status.textContent = 'subscribed';
  });
  channel.bind('pusher:subscription_error', ({ status: code, message }) => {
    status.textContent = `refused with ${code}: ${message}`;
  });
  channel.bind_global((event, data) => showEvent(name, event, data));
}

const lobby = client.channel('presence-lobby');
for (const event of ['pusher:subscription_succeeded', 'pusher:member_added', 'pusher:member_removed']) {
  lobby.bind(event, showMembers);
}

function showMembers() {
  const items = [];
  lobby.members.each(({ id }) => items.push(member(id)));
  element('members').replaceChildren(...items);
  element('alone').hidden = items.length !== 1;
}

function member(id) {
  const avatar = document.createElement('span');
  avatar.className = 'avatar';
  avatar.ariaHidden = 'true';
  avatar.textContent = id
    .split('-', 2)
    .map(([initial = '']) => initial.toUpperCase())
    .join('');
  let sum = 0;
  for (const character of id) sum += character.codePointAt(0);
  avatar.dataset.hue = String(sum % HUES);
  return listItem(avatar, id === user ? `${id} (you)` : id);
}

function showEvent(channel, event, data) {
  const time = document.createElement('time');
  time.textContent = new Date().toLocaleTimeString();
  const text = document.createElement('code');
  text.textContent = ` ${channel}  ${event}  ${JSON.stringify(data) ?? ''}`;
  const list = element('events');
  list.prepend(listItem(time, text));
  if (list.children.length > SHOWN_EVENTS) list.lastElementChild.remove();
}

function listItem(...content) {
  const item = document.createElement('li');
  item.append(...content);
  return item;
}

element('publish').addEventListener('submit', async (submission) => {
  submission.preventDefault();
  const { channel, event, data } = submission.target.elements;
  const answer = await fetch('/dev/publish', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ channel: channel.value, event: event.value, data: { text: data.value } }),
  });
  element('answer').textContent = answer.ok ? '' : ` ${answer.status} ${(await answer.json()).error}`;
});

addBreaks();
await addSnippets();
