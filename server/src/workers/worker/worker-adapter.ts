import type {
  Adapter,
  Bus,
  BusListener,
  ChannelCache,
  Counters,
  History,
  Roster,
} from '../../adapter/adapter.ts';
import type { KeptKeyUses } from '../../adapter/key-uses.ts';
import type { Nonces } from '../../adapter/nonces.ts';
import type { Nodes } from '../../adapter/questions.ts';
import type { Revocations } from '../../adapter/revocations.ts';
import type { LastPositions } from '../../history/last-positions.ts';
import type { IdempotencyRecords } from '../../idempotency/records.ts';
import type { PlainEvents } from '../plain-events.ts';
import type { ParentApi } from '../protocol.ts';
import { override } from '../rpc/capability.ts';
import { packEvent } from '../rpc/packed-event.ts';
import { remote } from '../rpc/remote.ts';
import type { Rpc } from '../rpc/rpc.ts';

/** The adapter of a worker: everything that is shared is in the parent, and the worker calls it there. */
export class WorkerAdapter implements Adapter {
  readonly bus: Bus;
  readonly roster: Roster;
  readonly channelCache: ChannelCache;
  readonly history: History;
  readonly lastPositions: LastPositions;
  readonly idempotency: IdempotencyRecords;
  readonly counters: Counters;
  readonly nonces: Nonces;
  readonly keyUses: KeptKeyUses;
  readonly revocations: Revocations;
  readonly nodes: Nodes;
  readonly #parent: Rpc<ParentApi>;
  #listener: BusListener | undefined;

  constructor(parent: Rpc<ParentApi>, plainEvents: Pick<PlainEvents, 'has'>) {
    this.#parent = parent;
    const bus: Bus = remote(parent, 'bus');
    this.bus = override(bus, {
      // A receipt is awaited also for these: who publishes at one worker after the other expects the order of the answers.
      publish: (message, keep) =>
        keep || !plainEvents.has(message) ? bus.publish(message, keep) : parent.callEvent(packEvent(message)),
    });
    this.channelCache = remote(parent, 'channelCache');
    this.history = remote(parent, 'history');
    this.lastPositions = remote(parent, 'lastPositions');
    this.idempotency = remote(parent, 'idempotency');
    this.nonces = remote(parent, 'nonces');
    this.keyUses = remote(parent, 'keyUses');
    this.revocations = remote(parent, 'revocations');
    this.nodes = remote(parent, 'nodes');
    this.roster = override<Roster>(remote(parent, 'roster'), {
      // A connection takes the seat, and only the fields of a seat can cross to the parent.
      join: (topic, { socketId, since, client, address }, options) =>
        parent.call('roster', 'join', [topic, { socketId, since, client, address }, options]),
    });
    const counters: Counters = remote(parent, 'counters');
    this.counters = override(counters, {
      hold: (key, limit) => {
        // The connection was refused after the time-out, so nobody else would release what it holds.
        const onLateAnswer = (isHeld: boolean) => isHeld && void counters.release(key).catch(() => {});
        return parent.call('counters', 'hold', [key, limit], { onLateAnswer });
      },
    });
  }

  /** Receives what the parent sends. */
  get listener(): BusListener | undefined {
    return this.#listener;
  }

  /** The parent has the journal: it sees the changes of the roster, so a worker records none of them. */
  attach(listener: BusListener): void {
    this.#listener = listener;
  }

  /** Waits for all answers, so that what the worker has released is released in the parent too. */
  close(): Promise<void> {
    return this.#parent.idle();
  }
}
