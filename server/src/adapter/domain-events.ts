import type { DomainEvent } from './journal.ts';
import { appOfTopic, isUserTopic, type Topic, userOfTopic } from './topic.ts';

/** What one join or leave changed. */
export type RosterChange =
  | {
      readonly kind: 'joined';
      readonly socketId: string;
      /** The seat is the first one of the topic. */
      readonly occupied: boolean;
      /** The user whose first seat it is. */
      readonly memberAdded: string | undefined;
    }
  | {
      readonly kind: 'left';
      readonly socketId: string;
      /** The seat was the last one of the topic. */
      readonly vacated: boolean;
      /** The user whose last seat it was. */
      readonly memberRemoved: string | undefined;
      readonly reason: string | undefined;
    };

/** The events that a change causes, in their order: a channel is occupied before its first member is added, and vacated after the last one is removed. */
export function domainEventsOf(topic: Topic, change: RosterChange): DomainEvent[] {
  const { socketId } = change;
  const userId = userOfTopic(topic);
  const events: DomainEvent[] = [];
  if (change.kind === 'joined') {
    const { occupied, memberAdded } = change;
    if (occupied && userId !== undefined) {
      events.push({ kind: 'userOnline', appId: appOfTopic(topic), userId, socketId });
    } else if (occupied && !isUserTopic(topic)) {
      events.push({ kind: 'occupied', topic, socketId });
    }
    if (memberAdded !== undefined) events.push({ kind: 'memberAdded', topic, userId: memberAdded, socketId });
    return events;
  }
  const { vacated, memberRemoved } = change;
  const reason = change.reason === undefined ? {} : { reason: change.reason };
  if (memberRemoved !== undefined) {
    events.push({ kind: 'memberRemoved', topic, userId: memberRemoved, socketId, ...reason });
  }
  if (vacated && userId !== undefined) {
    events.push({ kind: 'userOffline', appId: appOfTopic(topic), userId, socketId, ...reason });
  } else if (vacated && !isUserTopic(topic)) {
    events.push({ kind: 'vacated', topic, socketId, ...reason });
  }
  return events;
}
