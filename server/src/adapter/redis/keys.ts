import type { Topic } from '../topic.ts';

/** What an app has an index of. */
export type Listed = 'channels' | 'users';

/** The names of keys. The hash tag in braces decides the slot of a key in a cluster, so all keys of one script share it. */
export class Keys {
  constructor(private readonly prefix: string) {}

  /** The common beginning of the keys of a topic, and the channel on which its messages travel. */
  topic(topic: Topic): string {
    return `${this.prefix}:topic:{${topic}}`;
  }

  /** The common beginning of the keys that all nodes share. */
  get nodes(): string {
    return `${this.prefix}:{nodes}`;
  }

  /** The channel on which one process receives its own heartbeats. */
  pulse(processId: string): string {
    return `${this.prefix}:{nodes}:pulse:${processId}`;
  }

  node(id: string): string {
    return `${this.prefix}:node:{${id}}`;
  }

  list(appId: string, listed: Listed): string {
    return `${this.prefix}:list:{${appId}:${listed}}`;
  }

  hits(key: string): string {
    return `${this.prefix}:hits:{${key}}`;
  }

  places(key: string): string {
    return `${this.prefix}:places:{${key}}`;
  }

  /** Of what the cache channels of an app keep. */
  cached(appId: string): string {
    return `${this.prefix}:cached:{${appId}}`;
  }

  /** Of the histories of an app. */
  histories(appId: string): string {
    return `${this.prefix}:histories:{${appId}}`;
  }

  /** Of how far connections of an app had got that have ended. */
  lastPositions(appId: string): string {
    return `${this.prefix}:last-positions:{${appId}}`;
  }

  /** Of when the keys of an app were used last. */
  keyUses(appId: string): string {
    return `${this.prefix}:key-uses:{${appId}}`;
  }

  /** Of what is known of the idempotency keys of an app. */
  idempotency(appId: string): string {
    return `${this.prefix}:idempotency:{${appId}}`;
  }

  /** The common beginning of the keys of all revocations. */
  get revocations(): string {
    return `${this.prefix}:{revocations}`;
  }

  nonces(appId: string): string {
    return `${this.prefix}:nonces:{${appId}}`;
  }
}
