/** The devices of the user. */
import { client, user } from './client.js';
import { found } from './found.js';

/** @typedef {{ client: string, address: string, since: string, isThisOne: boolean }} Device */

let asked = 0;

// Subscribed after each sign-in: when other devices receive the new count, this one is in the list.
client.user.bind('pusher:signin_success', () => {
  client.unsubscribe(`private-user-${user.id}`);
  client.subscribe(`private-user-${user.id}`).bind('pusher:subscription_count', showDevices);
});

async function showDevices() {
  const question = ++asked;
  const answer = await fetch(`/devices?socketId=${client.connection.socket_id}`);
  // A response to a later request is newer.
  if (!answer.ok || question !== asked) return;
  /** @type {Device[]} */
  const devices = await answer.json();
  found(document.querySelector('#devices')).replaceChildren(...devices.map(itemOf));
}

/** @param {Device} device */
function itemOf({ client: library, address, since, isThisOne }) {
  const item = document.createElement('li');
  const time = document.createElement('time');
  time.dateTime = since;
  time.textContent = `since ${new Date(since).toLocaleTimeString()}`;
  item.append(isThisOne ? 'This device' : library, ` at ${address} `, time);
  return item;
}
