import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { Counts } from '../../adapter.ts';
import type { Topic } from '../../topic.ts';
import type { Keys } from '../keys.ts';
import type { ChannelIndex } from '../roster/channel-index.ts';
import type { JournalRecorder } from '../roster/journal-recorder.ts';
import { replies } from '../roster/replies.ts';
import { scripts } from '../scripts.ts';
import type { HeldResource } from './held-resources.ts';

/** Seats that are taken away in one step, during which Redis does nothing else. */
const SEATS = 200;
/** Topics or quotas that are looked through at a time. */
const MARKS = 100;

/** Takes away what a node that is gone held. Two at once do no harm: each step is taken by one of them. */
export class Reaper {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;
  readonly #directory: ChannelIndex;
  readonly #edges: JournalRecorder;
  readonly #onLapsed: (topic: Topic, left: Counts) => void;

  /** @param onLapsed is told of each topic of which something was taken away */
  constructor(
    commands: ScriptRunner,
    keys: Keys,
    directory: ChannelIndex,
    edges: JournalRecorder,
    onLapsed: (topic: Topic, left: Counts) => void,
  ) {
    this.#commands = commands;
    this.#keys = keys;
    this.#directory = directory;
    this.#edges = edges;
    this.#onLapsed = onLapsed;
  }

  /** Answers how many seats were taken away. */
  async reap(node: string): Promise<number> {
    let seats = 0;
    await this.#each(node, 'topics', async (topic) => {
      const taken = await this.#reapTopic(node, topic as Topic);
      seats += taken;
    });
    await this.#each(node, 'quotas', async (key) => {
      await this.#commands.run(scripts.setPlaces, this.#keys.places(key), node, 0);
    });
    return seats;
  }

  async #each(node: string, held: HeldResource, reap: (name: string) => Promise<void>): Promise<void> {
    const key = this.#keys.node(node);
    for (;;) {
      const names = replies.texts.parse(await this.#commands.run(scripts.someHeld, key, held, MARKS));
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
    let taken = 0;
    do {
      const answer = await this.#commands.run(scripts.reap, key, node, SEATS);
      const [left, version, changes] = replies.reap.parse(answer);
      this.#edges.left(topic, version, changes, 'disconnected');
      taken += changes.length;
      remaining = left;
    } while (remaining > 0);
    const counts = replies.counts.parse(await this.#commands.run(scripts.counts, key));
    if (taken > 0) this.#onLapsed(topic, counts);
    // What the node itself had to tell the directory may have died with it.
    await this.#directory.note(topic, counts.subscriptions > 0, counts.version);
    return taken;
  }
}
