import { createHash, randomInt } from 'node:crypto';
import type { Position } from '../../../history/history.ts';
import type { Topic } from '../../topic.ts';

const TAG_LENGTH = 6;
const POSITION = /^([0-9a-z]{1,11})\.([0-9a-z]{1,10})$/;
/** Beyond it numbers of Lua are not exact. */
const MAX = Number.MAX_SAFE_INTEGER;

/** A number that sets an event apart from one of the same version that Redis has lost. */
export function newNonce(): number {
  return randomInt(2 ** 47);
}

/** The position of an event: `TAG.VERSION.NONCE`. The tag is a hash of the topic. */
export function positionOf(topic: Topic, version: number, nonce: number): Position {
  return `${tagOf(topic)}.${version.toString(36)}.${nonce.toString(36)}`;
}

/** The position of an id `VERSION-NONCE` in Redis. */
export function positionOfId(topic: Topic, id: string): Position {
  const [version, nonce] = id.split('-');
  return positionOf(topic, Number(version), Number(nonce));
}

/** The id of a position; `undefined` if it is no position of the topic. */
export function idOfPosition(topic: Topic, position: Position): string | undefined {
  const tag = `${tagOf(topic)}.`;
  if (!position.startsWith(tag)) return undefined;
  const [, version = '', nonce = ''] = POSITION.exec(position.slice(tag.length)) ?? [];
  const numbers = [Number.parseInt(version, 36), Number.parseInt(nonce, 36)] as const;
  if (numbers.some((number) => !(number <= MAX))) return undefined;
  return positionOf(topic, ...numbers) === position ? numbers.join('-') : undefined;
}

function tagOf(topic: Topic): string {
  return createHash('sha256').update(topic).digest('base64url').slice(0, TAG_LENGTH);
}
