/** Follows the channels that are occupied: asks the broker for them every two seconds. */
import { setTimeout as delay } from 'node:timers/promises';
import { note } from '../../output.ts';
import { ask, type Target } from '../../target.ts';

const INTERVAL_MS = 2000;
/** Fewer than the subscriptions that one connection may have by default (limits.subscriptionsPerConnection). */
const MOST = 100;

/** Watches each new one, which stays occupied by that until the command ends. @throws CommandError */
export async function followOccupied(
  target: Target,
  watch: (channel: string) => void,
  signal: AbortSignal,
): Promise<never> {
  const watched = new Set<string>();
  let isFull = false;
  for (;;) {
    const { channels } = await ask(target, (sdk) => sdk.channels());
    for (const name of Object.keys(channels)) {
      // In a presence channel the command would be a member, and what is encrypted only its subscribers can read.
      if (watched.has(name) || /^(?:presence-|private-encrypted-|#)/.test(name)) continue;
      if (watched.size < MOST) {
        watched.add(name);
        watch(name);
      } else if (!isFull) {
        isFull = true;
        note(`More than ${MOST} channels are occupied: the others are left out. Name those that you want.`);
      }
    }
    await delay(INTERVAL_MS, undefined, { signal });
  }
}
