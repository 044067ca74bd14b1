import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import type { Message, Seat } from '#server/adapter/adapter';
import type { DomainEvent } from '#server/adapter/journal';
import { NOTHING_DONE, type NodeAnswer } from '#server/adapter/questions';
import { RedisAdapter } from '#server/adapter/redis/adapter';
import type { Topic } from '#server/adapter/topic';
import { Valve } from '../brokers/tcp-proxy.ts';
import { eventually } from '../eventually.ts';
import { NODE_TIMEOUT_SECONDS } from './node-timeout.ts';
import type { RedisServer } from './redis.ts';

/** One node on Redis, that keeps what it receives and what it takes down; its way to Redis can be shut. */
export class RedisNode {
  readonly received: Message[] = [];
  readonly happenings: DomainEvent[] = [];
  /** What it answers to questions of nodes. */
  answer = async (): Promise<NodeAnswer> => NOTHING_DONE;

  private constructor(
    readonly adapter: RedisAdapter,
    readonly valve: Valve,
    /** One for each time that messages of a topic were missed for good. */
    readonly gaps: readonly true[],
  ) {
    adapter.attach(
      {
        deliver: (message) => this.received.push(message),
        obey: () => {},
        missed: async () => {},
        answer: () => this.answer(),
        proveAgain: () => {},
        lapsed: () => {},
      },
      {
        record: (happenings) => {
          this.happenings.push(...happenings);
          return undefined;
        },
      },
    );
  }

  static async start(redis: RedisServer, prefix: string): Promise<RedisNode> {
    const valve = await Valve.open(redis.port);
    const gaps: true[] = [];
    const adapter = await RedisAdapter.open({
      redis: { url: `redis://127.0.0.1:${valve.port}`, prefix },
      nodeTimeoutSeconds: NODE_TIMEOUT_SECONDS,
      log: pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
      onGap: () => gaps.push(true),
    });
    onTestFinished(async () => {
      await adapter.close();
      valve.close();
    });
    return new RedisNode(adapter, valve, gaps);
  }

  join(topic: Topic, socketId: string, userId?: string) {
    const seat: Seat = { socketId, since: 0, client: 'test/1', address: '127.0.0.1' };
    return this.adapter.roster.join(topic, seat, userId === undefined ? {} : { member: { userId } });
  }

  async publish(topic: Topic, name: string): Promise<void> {
    await this.adapter.bus.publish({ kind: 'event', topic, name, data: '' });
  }

  /** Waits until an event of this name was received; answers the names of all that came before, in order. */
  async heard(name: string): Promise<string[]> {
    const names = () => this.received.flatMap((message) => (message.kind === 'event' ? [message.name] : []));
    await eventually(() => {
      if (!names().includes(name)) throw new Error(`${name} was not heard, but ${names().join()}`);
    });
    return names().slice(0, names().indexOf(name));
  }

  /** Waits until a message of this kind was received. */
  async told<Kind extends Message['kind']>(kind: Kind): Promise<Extract<Message, { kind: Kind }>> {
    return eventually(() => {
      const found = this.received.find((message) => message.kind === kind);
      if (!found) throw new Error(`No ${kind} was received`);
      return found as Extract<Message, { kind: Kind }>;
    });
  }

  async userIds(topic: Topic): Promise<string[]> {
    return (await this.adapter.roster.snapshot(topic)).members.map(({ userId }) => userId).sort();
  }
}
