import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { Counts } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';
import type { Keys } from '../keys.ts';
import type { ChannelIndex } from '../roster/channel-index.ts';
import type { JournalRecorder } from '../roster/journal-recorder.ts';
import { replies } from '../roster/replies.ts';
import { scripts } from '../scripts.ts';
import type { HeldResource } from './held-resources.ts';

/** Seats that are removed in one step, during which Redis does nothing else. */
const SEATS = 200;
/** Topics or quotas that are cleaned up at a time. */
const PAGE = 100;

/** Removes what a dead node held. Two nodes may do so at once: each seat is removed by one of them. */
export class Reaper {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #index: ChannelIndex;
  readonly #recorder: JournalRecorder;
  readonly #onLapsed: (topic: Topic, left: Counts) => void;

  /** @param onLapsed called for each topic of which seats were removed */
  constructor(
    commands: ScriptRunner,
    keys: Keys,
    index: ChannelIndex,
    recorder: JournalRecorder,
    onLapsed: (topic: Topic, left: Counts) => void,
  ) {
    this.#commands = commands;
    this.#keys = keys;
    this.#index = index;
    this.#recorder = recorder;
    this.#onLapsed = onLapsed;
  }

  /** Answers how many seats were removed. */
  async reap(node: string): Promise<number> {
    let seats = 0;
    await this.#each(node, 'topics', async (topic) => {
      const removed = await this.#reapTopic(node, topic as Topic);
      seats += removed;
    });
    await this.#each(node, 'quotas', async (key) => {
      await this.#commands.run(scripts.setPlaces, this.#keys.places(key), node, 0);
    });
    return seats;
  }

  async #each(node: string, held: HeldResource, reap: (name: string) => Promise<void>): Promise<void> {
    const key = this.#keys.node(node);
    for (;;) {
      const names = replies.texts.parse(await this.#commands.run(scripts.someHeld, key, held, PAGE));
      if (names.length === 0) return;
      await Promise.all(
        names.map(async (name) => {
          await reap(name);
          await this.#commands.run(scripts.removeHeld, key, held, name);
        }),
      );
    }
  }

  async #reapTopic(node: string, topic: Topic): Promise<number> {
    const key = this.#keys.topic(topic);
    let remaining: number;
    let removed = 0;
    do {
      const answer = await this.#commands.run(scripts.reap, key, node, SEATS);
      const [left, version, changes] = replies.reap.parse(answer);
      this.#recorder.recordChanges(
        topic,
        version,
        changes.map((change) => ({ kind: 'left', ...change, reason: 'disconnected' })),
      );
      removed += changes.length;
      remaining = left;
    } while (remaining > 0);
    const counts = replies.counts.parse(await this.#commands.run(scripts.counts, key));
    if (removed > 0) this.#onLapsed(topic, counts);
    // The dead node may not have noted its last change in the index.
    await this.#index.note(topic, counts.subscriptions > 0, counts.version);
    return removed;
  }
}
