import type { Roster } from '../../adapter/adapter.ts';
import { isUserTopic, topicOf, userTopicOf } from '../../adapter/topic.ts';
import type { AppStore } from '../../apps/app.ts';
import { inSlices } from '../../async/in-slices.ts';
import { readChannel } from '../../protocol/channel.ts';
import { isAnybodysBusiness, keyOf } from '../announced.ts';
import type { Announced } from '../outbox/outbox.ts';
import type { PresenceSource } from '../pending-removals.ts';

/** Channels in one query. */
const SLICE = 100;
/** Users in one query. */
const USERS = 1000;

const CHANNEL_EVENTS = ['channel_occupied', 'channel_vacated', 'member_added', 'member_removed'] as const;
const USER_EVENTS = ['user_online', 'user_offline'] as const;

/** Looks up in the roster of all nodes what is present. */
export class RosterPresence implements PresenceSource {
  readonly #roster: Roster;
  readonly #apps: AppStore;

  constructor(roster: Roster, apps: AppStore) {
    this.#roster = roster;
    this.#apps = apps;
  }

  async gone(told: readonly Announced[]): Promise<ReadonlySet<Announced>> {
    const questions = new Map<string, Announced[]>();
    for (const each of told) {
      // One query answers for all members of a channel.
      const key =
        each.channel === '' ? keyOf(each) : `${each.appId}:${each.channel}${each.userId ? '?' : ''}`;
      const same = questions.get(key);
      if (same) same.push(each);
      else questions.set(key, [each]);
    }
    return new Set((await inSlices([...questions.values()], SLICE, (same) => this.#goneOf(same))).flat());
  }

  /** Everything present that a hook is configured for, by key. */
  async present(): Promise<ReadonlyMap<string, Announced>> {
    const present = new Map<string, Announced>();
    const add = (told: Announced): void => {
      if (isAnybodysBusiness(this.#apps, told)) present.set(keyOf(told), told);
    };
    for (const { id: appId, hooks } of this.#apps.all()) {
      const names = new Set(hooks.flatMap(({ events }) => events));
      if (CHANNEL_EVENTS.some((name) => names.has(name))) (await this.#inChannels(appId)).forEach(add);
      if (USER_EVENTS.some((name) => names.has(name))) (await this.#online(appId)).forEach(add);
    }
    return present;
  }

  /** Occupied channels, and the members of each. */
  async #inChannels(appId: string): Promise<readonly Announced[]> {
    const occupied = await this.#roster.channels(appId, '');
    const channels = [...occupied.keys()].filter((name) => !isUserTopic(topicOf(appId, name)));
    const found = await inSlices(channels, SLICE, async (channel): Promise<readonly Announced[]> => {
      const itself = { appId, channel, userId: '' };
      if (readChannel(channel)?.kind !== 'presence') return [itself];
      const { members } = await this.#roster.snapshot(topicOf(appId, channel));
      return [itself, ...members.map(({ userId }) => ({ appId, channel, userId }))];
    });
    return found.flat();
  }

  async #online(appId: string): Promise<readonly Announced[]> {
    const found: Announced[] = [];
    for (let after = ''; ; ) {
      const page = await this.#roster.users(appId, after, USERS);
      found.push(...page.map((userId) => ({ appId, channel: '', userId })));
      if (page.length < USERS) return found;
      after = page.at(-1) ?? after;
    }
  }

  /** @param same members of one channel, or one channel or user */
  async #goneOf(same: readonly Announced[]): Promise<readonly Announced[]> {
    const [first] = same;
    if (!first) return [];
    const { appId, channel, userId } = first;
    if (channel !== '' && userId !== '') {
      const { members } = await this.#roster.snapshot(topicOf(appId, channel));
      const ids = new Set(members.map((member) => member.userId));
      return same.filter((each) => !ids.has(each.userId));
    }
    const topic = channel === '' ? userTopicOf(appId, userId) : topicOf(appId, channel);
    const { subscriptions } = await this.#roster.counts(topic);
    return subscriptions === 0 ? same : [];
  }
}
