import { type KeyUses, mergeKeyUses } from '../apps/keys/key-usage.ts';
import { type AppFigures, addFigures, type NodeQuestion, type NodeState } from './node-figures.ts';
import type { ReachedPlace, ReachedQuestion } from './reached.ts';
import {
  mergeRecordings,
  type RecordedStep,
  type RecordingQuestion,
  type RecordingState,
} from './recordings.ts';
import type { Revocation } from './revocations.ts';

/** What all nodes are asked, and whose answers are awaited. */
export type Question =
  /** To take rights back. */
  | { readonly kind: 'revoke'; readonly revocation: Revocation }
  /** To lift a block. */
  | { readonly kind: 'lift'; readonly appId: string; readonly id: string }
  /** To close connections of a user that newer ones supersede. */
  | {
      readonly kind: 'supersede';
      readonly appId: string;
      readonly userId: string;
      readonly socketIds: readonly string[];
      readonly reason: string;
    }
  /** Who holds what. */
  | HeldQuery
  /** When the keys of an app were used last. */
  | { readonly kind: 'keyUses'; readonly appId: string }
  | ReachedQuestion
  | RecordingQuestion;

/** Which grants are asked for. */
export interface HeldQuery {
  readonly kind: 'held';
  readonly appId: string;
  readonly userId: string | undefined;
  readonly channel: string | undefined;
  /** The place after which the answer begins. */
  readonly after: string;
  readonly limit: number;
}

/** The grant of one subscription. Times are Unix seconds. */
export interface HeldGrant {
  /** In the order of all that are held. */
  readonly place: string;
  readonly socketId: string;
  readonly userId: string | undefined;
  readonly channel: string;
  readonly since: number;
  readonly id: string | undefined;
  readonly key: string | undefined;
  readonly issuedAt: number | undefined;
  readonly expiresAt: number | undefined;
  readonly mayPublish: boolean;
}

/** What one or several nodes have done. */
export interface NodeAnswer {
  /** Whether a part of a node has not answered: what it says is true, but the node is still awaited. */
  readonly isPartial: boolean;
  /** Subscriptions that were ended, or whose connections were closed. */
  readonly subscriptions: number;
  /** Connections that were closed, or will be. */
  readonly connections: number;
  /** Grants about which a backend was asked and has not answered. */
  readonly unanswered: number;
  readonly held: readonly HeldGrant[];
  readonly keyUses: KeyUses;
  readonly reached: readonly ReachedPlace[];
  readonly recordings: readonly RecordingState[];
  readonly steps: readonly RecordedStep[];
  readonly figures: readonly AppFigures[];
  readonly nodes: readonly NodeState[];
}

/** What was done, and by how many nodes. */
export interface Answers extends NodeAnswer {
  readonly total: number;
  /** The nodes that have not answered in time; they act before they deliver or admit anything. */
  readonly pending: readonly string[];
}

export const NOTHING_DONE: NodeAnswer = {
  isPartial: false,
  subscriptions: 0,
  connections: 0,
  unanswered: 0,
  held: [],
  keyUses: {},
  reached: [],
  recordings: [],
  steps: [],
  figures: [],
  nodes: [],
};

/** Asks all nodes, this one included. */
export interface Nodes {
  /** @throws Unavailable if nobody was asked */
  ask(question: Question): Promise<Answers>;
  /** Answers for this node as a whole, and asks the others. Left out where it is the only one. */
  represent?(answer: (question: NodeQuestion) => Promise<NodeAnswer>): NodeGroup;
}

/** All nodes, as one of them sees them. */
export interface NodeGroup {
  /** The name of this one. */
  readonly self: string;
  /** @throws Unavailable if nobody was asked */
  ask(question: NodeQuestion): Promise<Answers>;
}

/** Milliseconds for which the answer of a node is awaited. */
export const ANSWER_MS = 2000;
/** Milliseconds for which the answer about rechecked grants is awaited: backends are asked. */
export const RECHECK_ANSWER_MS = 6000;

/** Milliseconds for which the answers to a question are awaited. */
export function answerMsOf(question: Question | NodeQuestion): number {
  return question.kind === 'revoke' && question.revocation.action === 'recheck'
    ? RECHECK_ANSWER_MS
    : ANSWER_MS;
}

/** What several nodes or processes have done together. */
export function sumOf(answers: readonly NodeAnswer[]): NodeAnswer {
  return {
    isPartial: answers.some(({ isPartial }) => isPartial),
    subscriptions: answers.reduce((sum, each) => sum + each.subscriptions, 0),
    connections: answers.reduce((sum, each) => sum + each.connections, 0),
    unanswered: answers.reduce((sum, each) => sum + each.unanswered, 0),
    held: answers.flatMap(({ held }) => held),
    keyUses: answers.reduce((sum, { keyUses }) => mergeKeyUses(sum, keyUses), {}),
    reached: answers.flatMap(({ reached }) => reached),
    recordings: mergeRecordings(answers.flatMap(({ recordings }) => recordings)),
    steps: answers.flatMap(({ steps }) => steps),
    figures: addFigures(answers.flatMap(({ figures }) => figures)),
    nodes: answers.flatMap(({ nodes }) => nodes),
  };
}
