import type { Logger } from 'pino';
import { severityOf } from '../../../errors.ts';
import type { Version } from '../../adapter.ts';
import { type DomainEvent, type Journal, NO_JOURNAL } from '../../journal.ts';
import { appOfTopic, channelOfTopic, type Topic, userOfTopic } from '../../topic.ts';
import type { ChannelIndex } from './channel-index.ts';
import type { Change } from './replies.ts';

/** What changes bring with them, on the one node that was told of it: the journal takes it down, the directory knows. */
export class JournalRecorder {
  readonly #directory: ChannelIndex;
  readonly #log: Logger;
  #journal: Journal = NO_JOURNAL;

  constructor(directory: ChannelIndex, log: Logger) {
    this.#directory = directory;
    this.#log = log;
  }

  attach(journal: Journal): void {
    this.#journal = journal;
  }

  /** @param edge.added the user whose first seat it is */
  joined(
    topic: Topic,
    version: Version,
    socketId: string,
    { occupied, added }: { readonly occupied: boolean; readonly added: string | undefined },
  ): void {
    const happenings: DomainEvent[] = [];
    const userId = userOfTopic(topic);
    if (occupied && userId !== undefined) {
      happenings.push({ kind: 'userOnline', appId: appOfTopic(topic), userId, socketId });
    } else if (occupied && isPublicBusiness(topic)) {
      happenings.push({ kind: 'occupied', topic, socketId });
    }
    if (added !== undefined) happenings.push({ kind: 'memberAdded', topic, userId: added, socketId });
    this.#record(topic, happenings);
    if (occupied) this.#note(topic, true, version);
  }

  /** @param version of the topic after the last of the changes */
  left(topic: Topic, version: Version, changes: readonly Change[], reason: string | undefined): void {
    const why = reason === undefined ? {} : { reason };
    const happenings = changes.flatMap(({ socketId, memberRemoved, vacated }): DomainEvent[] => {
      const gone: DomainEvent[] = [];
      const userId = userOfTopic(topic);
      if (memberRemoved !== undefined) {
        gone.push({ kind: 'memberRemoved', topic, userId: memberRemoved, socketId, ...why });
      }
      if (vacated && userId !== undefined) {
        gone.push({ kind: 'userOffline', appId: appOfTopic(topic), userId, socketId, ...why });
      } else if (vacated && isPublicBusiness(topic)) {
        gone.push({ kind: 'vacated', topic, socketId, ...why });
      }
      return gone;
    });
    this.#record(topic, happenings);
    if (changes.some(({ vacated }) => vacated)) this.#note(topic, false, version);
  }

  /** Has the journal take down what others are told after it. */
  record(happenings: readonly DomainEvent[]): Promise<void> | undefined {
    return happenings.length === 0 ? undefined : this.#journal.record(happenings);
  }

  #record(topic: Topic, happenings: readonly DomainEvent[]): void {
    this.record(happenings)?.catch((error: unknown) => {
      this.#log[severityOf(error)]({ err: error, topic }, 'happenings not taken down');
    });
  }

  #note(topic: Topic, isOccupied: boolean, version: Version): void {
    this.#directory.note(topic, isOccupied, version).catch((error: unknown) => {
      this.#log.debug({ err: error, topic }, 'directory not told: it is when the node is back');
    });
  }
}

/** Whether the backend is told of it: a user's own channel is nobody else's business. */
function isPublicBusiness(topic: Topic): boolean {
  return !channelOfTopic(topic).startsWith('#');
}
