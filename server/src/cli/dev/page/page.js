/* global Countersign: the script of @countersign/sdk-client, loaded before this one */
const CHANNELS = ['news', 'private-notes', 'presence-lobby'];
const SHOWN_EVENTS = 200;

const user = `guest-${crypto.randomUUID().slice(0, 8)}`;
const element = (id) => document.getElementById(id);
element('user').textContent = user;

const secure = location.protocol === 'https:';
const client = new Countersign('dev-key', {
  host: location.hostname,
  port: Number(location.port || (secure ? 443 : 80)),
  forceTLS: secure,
  channelAuthorization: { endpoint: '/countersign/auth', headers: { 'X-Dev-User': user } },
});

const showState = () => {
  element('state').textContent = client.connection.state;
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
  lobby.members.each(({ id }) => {
    items.push(listItem(id === user ? `${id} (you)` : id));
  });
  element('members').replaceChildren(...items);
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

const form = element('publish');

function publication() {
  const { channel, event, data } = form.elements;
  return JSON.stringify({ channel: channel.value, event: event.value, data: { text: data.value } });
}

function showCurl() {
  const body = publication().replaceAll("'", "'\\''");
  element('curl').textContent =
    `curl -H 'Content-Type: application/json' -d '${body}' ${location.origin}/dev/publish`;
}

form.addEventListener('input', showCurl);
showCurl();

form.addEventListener('submit', async (submission) => {
  submission.preventDefault();
  const answer = await fetch('/dev/publish', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: publication(),
  });
  element('answer').textContent = answer.ok ? '' : ` ${answer.status} ${(await answer.json()).error}`;
});
