import { type Roster, topicOf, userTopicOf } from '../../adapter/adapter.ts';
import type { Told } from '../outbox.ts';
import type { Witness } from '../recorder.ts';
import { keyOf } from '../told.ts';

/** Channels that are asked for at a time. */
const SLICE = 100;

/** Asks the roster of all nodes who is there. */
export class RosterWitness implements Witness {
  readonly #roster: Pick<Roster, 'counts' | 'members'>;

  constructor(roster: Pick<Roster, 'counts' | 'members'>) {
    this.#roster = roster;
  }

  async gone(told: readonly Told[]): Promise<ReadonlySet<Told>> {
    const questions = new Map<string, Told[]>();
    for (const each of told) {
      // The members of one channel are one question.
      const key =
        each.channel === '' ? keyOf(each) : `${each.appId}:${each.channel}${each.userId ? '?' : ''}`;
      const same = questions.get(key);
      if (same) same.push(each);
      else questions.set(key, [each]);
    }
    const gone = new Set<Told>();
    const asked = [...questions.values()];
    for (let from = 0; from < asked.length; from += SLICE) {
      const answers = await Promise.all(asked.slice(from, from + SLICE).map((same) => this.#goneOf(same)));
      for (const each of answers.flat()) gone.add(each);
    }
    return gone;
  }

  /** @param same members of one channel, or one channel or user */
  async #goneOf(same: readonly Told[]): Promise<readonly Told[]> {
    const [first] = same;
    if (!first) return [];
    const { appId, channel, userId } = first;
    if (channel !== '' && userId !== '') {
      const members = await this.#roster.members(topicOf(appId, channel));
      const ids = new Set(members.map((member) => member.userId));
      return same.filter((each) => !ids.has(each.userId));
    }
    const topic = channel === '' ? userTopicOf(appId, userId) : topicOf(appId, channel);
    const { subscriptions } = await this.#roster.counts(topic);
    return subscriptions === 0 ? same : [];
  }
}
