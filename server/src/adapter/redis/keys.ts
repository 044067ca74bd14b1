import type { Topic } from '../topic.ts';

/** What an app has a list of. */
export type Listed = 'channels' | 'users';

/** Names of keys. What stands in braces decides where a key is in a cluster, so what one script touches has it in common. */
export class Keys {
  constructor(private readonly prefix: string) {}

  /** Of all that is known of a topic; it is also the name of the channel on which its messages travel. */
  topic(topic: Topic): string {
    return `${this.prefix}:topic:{${topic}}`;
  }

  /** Of what all nodes share. */
  get nodes(): string {
    return `${this.prefix}:{nodes}`;
  }

  /** The channel on which one process hears its own signs of life. */
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

  blocks(appId: string): string {
    return `${this.prefix}:blocks:{${appId}}`;
  }
}
