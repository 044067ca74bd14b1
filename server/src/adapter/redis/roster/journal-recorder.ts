import type { Logger } from 'pino';
import { severityOf } from '../../../errors.ts';
import type { Version } from '../../adapter.ts';
import { domainEventsOf, type RosterChange } from '../../domain-events.ts';
import { type DomainEvent, type Journal, NO_JOURNAL } from '../../journal.ts';
import type { Topic } from '../../topic.ts';
import type { ChannelIndex } from './channel-index.ts';

/** Records roster changes, on the one node that Redis answered them to: their events in the journal, their names in the index. */
export class JournalRecorder {
  readonly #index: ChannelIndex;
  readonly #log: Logger;
  #journal: Journal = NO_JOURNAL;

  constructor(index: ChannelIndex, log: Logger) {
    this.#index = index;
    this.#log = log;
  }

  attach(journal: Journal): void {
    this.#journal = journal;
  }

  /** @param version of the topic after the last of the changes */
  recordChanges(topic: Topic, version: Version, changes: readonly RosterChange[]): void {
    this.record(changes.flatMap((change) => domainEventsOf(topic, change)))?.catch((error: unknown) => {
      this.#log[severityOf(error)]({ err: error, topic }, 'failed to record webhook events');
    });
    if (changes.some((change) => change.kind === 'joined' && change.occupied)) {
      this.#note(topic, true, version);
    } else if (changes.some((change) => change.kind === 'left' && change.vacated)) {
      this.#note(topic, false, version);
    }
  }

  /** Records events; a message about them must wait for the promise. */
  record(events: readonly DomainEvent[]): Promise<void> | undefined {
    return events.length === 0 ? undefined : this.#journal.record(events);
  }

  #note(topic: Topic, isOccupied: boolean, version: Version): void {
    this.#index.note(topic, isOccupied, version).catch((error: unknown) => {
      this.#log.debug({ err: error, topic }, 'channel index not updated; will be when the node rejoins');
    });
  }
}
