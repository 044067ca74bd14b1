/** Who may read and write where. */

/**
 * @typedef {object} User
 * @property {string} id
 * @property {{ name: string }} info what the other users may know
 *
 * @typedef {object} Room
 * @property {string} id
 * @property {string} title
 * @property {string} channel
 * @property {(user: User) => boolean} admits
 */

const STAFF = new Set(['ann', 'bob']);

/** @type {readonly Room[]} */
export const rooms = [
  { id: 'lounge', title: 'Lounge', channel: 'private-lounge', admits: () => true },
  // Encrypted end to end: the broker passes on what it cannot read.
  { id: 'office', title: 'Office', channel: 'private-encrypted-office', admits: ({ id }) => STAFF.has(id) },
];

/** Tells who is here and who is typing. */
const PRESENCE = 'presence-lounge';

/**
 * Whether a user may subscribe to a channel.
 *
 * @param {User} user
 * @param {string} channel
 */
export function canAccess(user, channel) {
  return channel === PRESENCE || rooms.some((room) => room.channel === channel && room.admits(user));
}
