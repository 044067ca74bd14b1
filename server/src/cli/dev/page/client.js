/* global Countersign: the script of @countersign/sdk-client, loaded before this one */
/* Who the visitor is, and how they connect. */
const MANNERS = ['brave', 'calm', 'eager', 'gentle', 'jolly', 'keen', 'lucky', 'merry', 'quick', 'witty'];
const ANIMALS = ['badger', 'crane', 'dolphin', 'falcon', 'heron', 'koala', 'lynx', 'otter', 'panda', 'robin'];

const any = (words) => words[crypto.getRandomValues(new Uint32Array(1))[0] % words.length];

/** The name that this window made up. */
export const user = `${any(MANNERS)}-${any(ANIMALS)}-${crypto.randomUUID().slice(0, 4)}`;

export const element = (id) => document.getElementById(id);

/** A client of this broker that is authorized by this endpoint. */
export function connect(endpoint) {
  const secure = location.protocol === 'https:';
  return new Countersign('dev-key', {
    host: location.hostname,
    port: Number(location.port || (secure ? 443 : 80)),
    forceTLS: secure,
    channelAuthorization: { endpoint, headers: { 'X-Dev-User': user } },
  });
}
