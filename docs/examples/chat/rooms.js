/** Who may read and write where. */
import { policy } from '@countersign/sdk-server/express';

/**
 * @typedef {object} User
 * @property {string} id
 * @property {{ name: string }} info what the other users may know
 *
 * @typedef {object} Room
 * @property {string} id
 * @property {string} title
 * @property {string} channel
 */

/** @type {readonly Room[]} */
export const rooms = [
  { id: 'lounge', title: 'Lounge', channel: 'private-lounge' },
  // Encrypted end to end: the broker passes on what it cannot read.
  { id: 'office', title: 'Office', channel: 'private-encrypted-office' },
];

/** Where the staff sees which webhooks arrive. */
export const WEBHOOKS = 'private-webhooks';

const STAFF = new Set(['ann', 'bob']);
const everybody = () => true;
/** @param {{ user: { id: string | number | bigint } }} request */
const staff = ({ user }) => STAFF.has(String(user.id));

/** @type {import('@countersign/sdk-server/express').Policy<User>} */
const access = policy();

/** Whether a user may join a channel. Channels that no rule matches are refused. */
export const { canAccess } = access
  .channel('presence-lounge', everybody) // who is here, and who is typing
  .channel('private-lounge', everybody)
  .channel('private-encrypted-office', staff)
  .channel(WEBHOOKS, staff)
  .channel('private-user-{userId}', ({ user, params }) => user.id === params.userId); // their devices
