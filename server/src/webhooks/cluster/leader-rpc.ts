import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { z } from 'zod';
import { Unavailable } from '../../errors.ts';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import type { WebhookControl } from '../control.ts';
import { type LeaderRequest, perform, requestSchema } from './leader-rpc-messages.ts';
import { scripts } from './scripts.ts';

/** Milliseconds within which the leader answers. */
const TIMEOUT_MS = 5000;
/** Requests that may wait for their answers. */
const MAX_ASKED = 1000;

const questionSchema = z.object({ from: z.string(), id: z.number(), request: requestSchema });
const answerSchema = z.object({ id: z.number(), answer: z.unknown(), isRefused: z.boolean() });

interface Asked {
  readonly timer: NodeJS.Timeout;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** RPC between the nodes and the leader, by Redis pub/sub. */
export class LeaderRpc {
  /** Suffix of the channel on which this node receives answers. */
  readonly ownChannel = `:${randomBytes(8).toString('hex')}`;
  readonly #commands: ScriptRunner;
  readonly #key: string;
  readonly #log: Logger;
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;

  /** @param key the prefix of all keys of webhooks, and the channel of requests */
  constructor(commands: ScriptRunner, key: string, log: Logger) {
    this.#commands = commands;
    this.#key = key;
    this.#log = log;
  }

  /** @throws Unavailable if no answer arrives in time, or the leader failed to perform the request */
  async ask<Schema extends z.ZodType>(request: LeaderRequest, schema: Schema): Promise<z.infer<Schema>> {
    if (this.#asked.size >= MAX_ASKED)
      throw new Unavailable('Too many requests about webhooks are under way');
    this.#lastId += 1;
    const id = this.#lastId;
    const answered = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Unavailable('No node answers for webhooks')), TIMEOUT_MS);
      this.#asked.set(id, { timer, resolve, reject });
    });
    const question = JSON.stringify({ from: this.ownChannel, id, request });
    try {
      await Promise.all([this.#commands.run(scripts.send, this.#key, '', question), answered]);
      return schema.parse(await answered);
    } finally {
      clearTimeout(this.#asked.get(id)?.timer);
      this.#asked.delete(id);
    }
  }

  /** Performs and answers the request of a node, as the leader. */
  async serve(json: string, webhooks: WebhookControl): Promise<void> {
    try {
      const { from, id, request } = questionSchema.parse(JSON.parse(json));
      const [isRefused, answer] = await perform(webhooks, request).then(
        (value) => [false, value ?? null],
        (error: unknown) => {
          this.#log.error({ err: error, request: request.what }, 'failed to perform a webhook request');
          return [true, null];
        },
      );
      await this.#commands.run(scripts.send, this.#key, from, JSON.stringify({ id, answer, isRefused }));
    } catch (error) {
      this.#log.warn({ err: error }, 'failed to answer a webhook request of a node');
    }
  }

  /** Receives an answer. */
  take(json: string): void {
    try {
      const { id, answer, isRefused } = answerSchema.parse(JSON.parse(json));
      const asked = this.#asked.get(id);
      if (isRefused) asked?.reject(new Unavailable('Webhooks cannot do that at present'));
      else asked?.resolve(answer);
    } catch (error) {
      this.#log.warn({ err: error }, 'failed to read the answer to a webhook request');
    }
  }
}
