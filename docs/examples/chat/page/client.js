/** The client that all parts of the page share, signed in as the user of the session. */
import { encryption } from '/sdk/encrypted.js';
import { Countersign } from '/sdk/index.js';
import { found } from './found.js';

/**
 * @typedef {object} Message
 * @property {string} from
 * @property {string} text
 * @property {string} at ISO 8601
 *
 * An event of a webhook, without the data of client events.
 * @typedef {object} WebhookEvent
 * @property {string} id
 * @property {string} name
 * @property {number} at ms since 1970
 * @property {number} seq
 * @property {string} [channel]
 * @property {string} [user_id]
 * @property {string} [event]
 * @property {string} [reason]
 *
 * The channels of this app with their events and data: the compiler checks their use.
 * @typedef {{
 *   'presence-lounge': { 'client-typing': {}, 'pusher:member': { name: string } },
 *   'private-lounge': { message: Message },
 *   'private-encrypted-office': { message: Message },
 *   'private-webhooks': { received: WebhookEvent },
 *   [own: `private-user-${string}`]: {},
 * }} ChatChannels
 *
 * @typedef {object} Session
 * @property {{ id: string, info: { name: string } }} user
 * @property {{ key: string, host: string, port: number, forceTLS: boolean }} broker
 * @property {{ id: string, title: string, channel: 'private-lounge' | 'private-encrypted-office' }[]} rooms
 * @property {boolean} seesWebhooks
 */

/** @type {Session} */
export const { user, broker, rooms, seesWebhooks } = await (await fetch('/session')).json();

// It gets grants from the default endpoints: /countersign/auth and /countersign/user-auth of this server.
/** @type {Countersign<ChatChannels>} */
export const client = new Countersign(broker.key, {
  host: broker.host,
  port: broker.port,
  forceTLS: broker.forceTLS,
  encryption,
  // A session is not renewed: when the server no longer knows it, the user is signed out.
  auth: { refresh: async () => null },
});
found(document.querySelector('#user')).textContent = user.info.name;
client.connection.on('state_change', ({ current }) => {
  found(document.querySelector('#state')).textContent = current;
});

sessionStorage.removeItem('reason');
client.on('terminated', ({ reason }) => {
  // For the login page, which follows unless this session goes on.
  sessionStorage.setItem('reason', reason);
  location.assign('/');
});
client.on('signedOut', () => location.assign('/'));

// Makes this connection one of the user's devices; it ends when the user logs out.
client.signin();
