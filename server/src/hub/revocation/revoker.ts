import type { Logger } from 'pino';
import type { Adapter } from '../../adapter/adapter.ts';
import { type Answers, NOTHING_DONE, type NodeAnswer, type Question } from '../../adapter/questions.ts';
import type { ReachedQuestion } from '../../adapter/reached.ts';
import { keptUntil, type Revocation, type RevocationBounds } from '../../adapter/revocations.ts';
import type { AppStore } from '../../apps/app.ts';
import { Unavailable } from '../../errors.ts';
import type { FlightRecorder } from '../../recorder/flight-recorder.ts';
import { concernedConnections } from '../concerned-connections.ts';
import { Enforcement, type EnforcementParts } from './enforcement.ts';
import { heldGrants } from './held-grants.ts';

/** Milliseconds between two sweeps of revocations that are over. */
const SWEEP_MS = 30_000;
/** Milliseconds after which a failed read of what is kept is repeated. */
const RETRY_MS = 1000;

/** What came of a revocation. */
export interface Outcome extends Answers {
  /** `full`: there was no room, so it has effect, but is not remembered; `failed`: it could not be kept for another reason. */
  readonly kept: 'kept' | 'full' | 'failed';
}

export interface RevokerParts extends EnforcementParts {
  readonly adapter: Adapter;
  readonly apps: AppStore;
  readonly recorder: FlightRecorder;
  readonly log: Logger;
}

/** Takes back what connections of this process hold, and lets all processes do the same. */
export class Revoker {
  readonly #parts: RevokerParts;
  readonly #enforcement: Enforcement;
  readonly #sweep: NodeJS.Timeout;
  #retry: NodeJS.Timeout | undefined;

  constructor(parts: RevokerParts) {
    this.#parts = parts;
    this.#enforcement = new Enforcement(parts);
    this.#sweep = setInterval(() => this.#forget(), SWEEP_MS).unref();
  }

  /** Reads what is kept, now and until it succeeds. Until then, nobody is let in. */
  async start(): Promise<void> {
    clearTimeout(this.#retry);
    try {
      await this.load();
    } catch (error) {
      this.#parts.access.revocations.isIncomplete = true;
      this.#parts.log.warn({ err: error }, 'revocations not read; will retry');
      this.#retry = setTimeout(() => void this.start(), RETRY_MS).unref();
    }
  }

  /** Reads what is kept, and does what this process has missed. */
  async load(): Promise<void> {
    const { adapter, access } = this.#parts;
    const known = new Set(access.revocations.ids());
    const kept = new Set<string>();
    let cursor: string | undefined;
    do {
      const page = await adapter.revocations.page(cursor);
      for (const revocation of page.revocations) {
        kept.add(revocation.id);
        if (access.revocations.has(revocation)) access.revocations.replace(revocation);
        else void this.#enforcement.apply(revocation, page.now);
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
    // What came while it was read is not in the pages.
    for (const id of known) if (!kept.has(id)) access.revocations.forget(id);
    access.revocations.isIncomplete = false;
  }

  /**
   * Takes rights back, on all nodes.
   *
   * @throws Unavailable if nobody could be told
   */
  async revoke(revocation: Revocation, bounds: RevocationBounds): Promise<Outcome> {
    const { adapter } = this.#parts;
    const kept =
      keptUntil(revocation) === 0
        ? 'kept'
        : await adapter.revocations.keep(revocation, bounds).then(
            (hasRoom) => (hasRoom ? 'kept' : 'full'),
            () => 'failed' as const,
          );
    const remembered = { ...revocation, outlawsUntil: undefined, blockedUntil: undefined };
    const told = kept === 'kept' ? revocation : remembered;
    return { kept, ...(await adapter.nodes.ask({ kind: 'revoke', revocation: told })) };
  }

  /**
   * Lets whom a revocation blocks in again, on all nodes.
   *
   * @returns whether there is such a revocation
   */
  async lift(appId: string, id: string, bounds: RevocationBounds): Promise<boolean> {
    const { adapter, access } = this.#parts;
    const revocation = access.revocations.find(appId, id);
    if (!revocation) return false;
    const lifted = { ...revocation, blockedUntil: undefined };
    if (keptUntil(lifted) > 0) await adapter.revocations.keep(lifted, bounds);
    else await adapter.revocations.forget(appId, id);
    await adapter.nodes.ask({ kind: 'lift', appId, id });
    return true;
  }

  /**
   * Whether a user may not sign in to an app.
   *
   * @throws Unavailable if that is not known
   */
  isBlocked(appId: string, userId: string): boolean {
    const { revocations } = this.#parts.access;
    if (revocations.isIncomplete) throw new Unavailable('What was revoked is not known yet');
    return revocations.isBlocked(appId, userId);
  }

  /** The revocations of an app that are in force, oldest first. */
  list(appId: string): readonly Revocation[] {
    return this.#parts.access.revocations.list(appId);
  }

  async answer(question: Exclude<Question, ReachedQuestion>): Promise<NodeAnswer> {
    const { recorder } = this.#parts;
    switch (question.kind) {
      case 'revoke':
        // It was made just now.
        return this.#enforcement.apply(question.revocation, question.revocation.at);
      case 'lift':
        this.#parts.access.revocations.lift(question.appId, question.id);
        return NOTHING_DONE;
      case 'supersede':
        this.#parts.users.supersede(question);
        return NOTHING_DONE;
      case 'held':
        return { ...NOTHING_DONE, held: heldGrants(this.#parts.channels, question) };
      case 'keyUses':
        return { ...NOTHING_DONE, keyUses: this.#parts.apps.byId(question.appId)?.keyUses.lastUses ?? {} };
      case 'record': {
        const { connections, channels } = this.#parts;
        const { appId } = question.recording;
        recorder.begin(question.recording, (target) =>
          concernedConnections(appId, target, connections, channels),
        );
        return NOTHING_DONE;
      }
      case 'recorded': {
        const { appId, id, after, limit } = question;
        const steps = id === undefined ? [] : recorder.steps(appId, id, after, limit);
        return { ...NOTHING_DONE, recordings: recorder.states(appId, id), steps };
      }
      case 'forgetRecording':
        recorder.forget(question.appId, question.id);
        return NOTHING_DONE;
    }
  }

  /** Makes all who hold a right prove it again. */
  proveAgain(): void {
    this.#enforcement.proveAgain();
  }

  close(): void {
    clearInterval(this.#sweep);
    clearTimeout(this.#retry);
  }

  /** Forgets revocations that are over. Connections that are older than one of them come back, so that no signature that they were given before it counts. */
  #forget(): void {
    const forgotten = this.#parts.access.revocations.sweep();
    if (forgotten.size === 0) return;
    const older = [...this.#parts.connections].filter(
      ({ app, openedAfter }) => openedAfter < (forgotten.get(app.id) ?? 0),
    );
    this.#enforcement.sendBack(older, 'connection_age', 'The connection is old: please reconnect');
  }
}
