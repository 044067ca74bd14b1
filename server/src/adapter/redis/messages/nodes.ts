import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import { severityOf } from '../../../errors.ts';
import type { ScriptRunner } from '../../../redis/script-runner.ts';
import type { NodeQuestion } from '../../node-figures.ts';
import {
  type Answers,
  answerMsOf,
  NOTHING_DONE,
  type NodeAnswer,
  type NodeGroup,
  type Nodes,
  type Question,
  sumOf,
} from '../../questions.ts';
import type { Keys } from '../keys.ts';
import { scripts } from '../scripts.ts';
import type { RedisBus } from './bus.ts';
import type { Order } from './envelope.ts';
import { confirmationSchema, type NodeConfirmation } from './question.ts';

const idsSchema = z.array(z.string());

/** A question whose answers are awaited. */
interface Open {
  readonly awaited: Set<string>;
  /** Those that have answered for a part of themselves. */
  readonly partial: Set<string>;
  readonly answers: NodeAnswer[];
  readonly answered: () => void;
}

export interface RedisNodesParts {
  readonly commands: ScriptRunner;
  readonly keys: Keys;
  readonly bus: RedisBus;
  /** Tells this process from others. */
  readonly processId: string;
  readonly log: Logger;
  readonly answer: (question: Question) => Promise<NodeAnswer>;
  /** Waits until this node hears orders and answers; rejects if it does not. */
  readonly hears: () => Promise<void>;
}

/** Asks the nodes that share a Redis. The question is an order to all; each answers on the heartbeat channel of the process that asks. */
export class RedisNodes implements Nodes {
  readonly #parts: RedisNodesParts;
  readonly #open = new Map<string, Open>();
  #represent: ((question: NodeQuestion) => Promise<NodeAnswer>) | undefined;

  constructor(parts: RedisNodesParts) {
    this.#parts = parts;
  }

  represent(answer: (question: NodeQuestion) => Promise<NodeAnswer>): NodeGroup {
    this.#represent = answer;
    return { self: nameOf(this.#parts.processId), ask: (question) => this.#ask(question) };
  }

  ask(question: Question): Promise<Answers> {
    return this.#ask(question);
  }

  async #ask(question: Question | NodeQuestion): Promise<Answers> {
    const { bus, keys, processId, hears } = this.#parts;
    // Otherwise our own answer would not arrive. A node that hears nothing can still ask the others.
    await hears().catch(() => {});
    // Nodes that join later read what is kept, which comes before the question.
    const nodes = await this.#liveNodes();
    const id = randomUUID();
    const ending = new AbortController();
    const tooLate = delay(answerMsOf(question), undefined, { signal: ending.signal }).catch(() => {});
    const open: Open = {
      awaited: new Set(nodes),
      partial: new Set(),
      answers: [],
      answered: () => ending.abort(),
    };
    this.#open.set(id, open);
    try {
      await bus.order({ kind: 'question', id, replyTo: keys.pulse(processId), question });
      await tooLate;
    } finally {
      ending.abort();
      this.#open.delete(id);
    }
    const pending = [...open.awaited, ...open.partial].map(nameOf);
    return { ...sumOf(open.answers), total: nodes.size, pending };
  }

  /** Another node, or this one, asks. */
  asked({ id, replyTo, question }: Extract<Order, { kind: 'question' }>): void {
    const { log } = this.#parts;
    this.#answer(question)
      .then((answer) => this.#confirm(replyTo, { question: id, node: this.#parts.processId, answer }))
      .catch((error: unknown) => {
        log[severityOf(error)]({ err: error, question: question.kind }, 'question of a node not answered');
      });
  }

  /** A node has answered. */
  heard(json: string): void {
    const confirmation = this.#read(json);
    if (!confirmation) return;
    const { question, node, answer } = confirmation;
    const open = this.#open.get(question);
    if (!open?.awaited.delete(node)) return;
    open.answers.push(answer);
    if (answer.isPartial) open.partial.add(node);
    if (open.awaited.size === 0) open.answered();
  }

  /** One that cannot be read, as from a newer version, counts as no answer. */
  #read(json: string): NodeConfirmation | undefined {
    try {
      return confirmationSchema.parse(JSON.parse(json));
    } catch (error) {
      this.#parts.log.error({ err: error }, 'answer of a node dropped');
      return undefined;
    }
  }

  async #answer(question: Question | NodeQuestion): Promise<NodeAnswer> {
    if (!isOfNode(question)) return this.#parts.answer(question);
    return (await this.#represent?.(question)) ?? NOTHING_DONE;
  }

  async #confirm(replyTo: string, confirmation: NodeConfirmation): Promise<void> {
    const { commands, keys } = this.#parts;
    await commands.run(scripts.confirm, keys.nodes, replyTo, JSON.stringify(confirmation));
  }

  /** A process has another id each time that it joins; the ids begin with that of the process. */
  async #liveNodes(): Promise<Set<string>> {
    const { commands, keys, processId } = this.#parts;
    const ids = idsSchema.parse(await commands.run(scripts.liveNodes, keys.nodes));
    return new Set([processId, ...ids.map((id) => id.slice(0, id.indexOf('.')))]);
  }
}

function nameOf(processId: string): string {
  return `node-${processId}`;
}

function isOfNode(question: Question | NodeQuestion): question is NodeQuestion {
  return ['figures', 'nodeState', 'readApps', 'drain'].includes(question.kind);
}
