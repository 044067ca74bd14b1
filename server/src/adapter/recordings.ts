/** Recordings of connections: what nodes ask each other about them. */

/** Whose connections are recorded: those of a user, or the one with a socket id. */
export interface RecordingTarget {
  readonly userId: string | undefined;
  readonly socketId: string | undefined;
}

/** A recording, as the node that makes it describes it. */
export interface RecordingOrder extends RecordingTarget {
  readonly id: string;
  readonly appId: string;
  /** Milliseconds for which it goes on: a duration, since the clocks of nodes differ. Not above 0: it is over. */
  readonly leftMs: number;
}

/** What one process, or several of them, have recorded. */
export interface RecordingState extends RecordingOrder {
  readonly steps: number;
  /** Steps that had to go because there were too many. */
  readonly dropped: number;
}

/** One step of the protocol on one connection: no payload and no secret. */
export interface RecordedStep {
  /** In the order of all steps; those of one connection are in the order in which they happened. */
  readonly place: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly socketId: string;
  readonly kind: StepKind;
  readonly details: StepDetails;
}

export const STEP_KINDS = [
  'recording',
  'received',
  'sent',
  'signed_in',
  'sign_in_refused',
  'subscribed',
  'renewed',
  'unsubscribed',
  'subscription_ended',
  'subscription_refused',
  'message_refused',
  'expelled',
  'closed',
] as const;
export type StepKind = (typeof STEP_KINDS)[number];

/** What is known of a step, in the names of the HTTP API. */
export interface StepDetails {
  readonly event?: string | undefined;
  readonly channel?: string | undefined;
  readonly bytes?: number | undefined;
  readonly code?: string | number | undefined;
  readonly reason?: string | undefined;
  readonly user_id?: string | undefined;
  readonly grant_id?: string | undefined;
  readonly key?: string | undefined;
  readonly expires_at?: number | undefined;
}

/** What is asked about recordings. */
export type RecordingQuestion =
  /** To begin, or to have begun. */
  | { readonly kind: 'record'; readonly recording: RecordingOrder }
  /** What was recorded: of one recording with its steps, or of all without. */
  | {
      readonly kind: 'recorded';
      readonly appId: string;
      readonly id: string | undefined;
      /** The place after which the steps begin. */
      readonly after: string;
      readonly limit: number;
    }
  | { readonly kind: 'forgetRecording'; readonly appId: string; readonly id: string };

/** The states of the same recordings in several processes as one. */
export function mergeRecordings(states: readonly RecordingState[]): readonly RecordingState[] {
  const merged = new Map<string, RecordingState>();
  for (const state of states) {
    const before = merged.get(state.id);
    const steps = state.steps + (before?.steps ?? 0);
    const dropped = state.dropped + (before?.dropped ?? 0);
    const leftMs = Math.max(state.leftMs, before?.leftMs ?? Number.NEGATIVE_INFINITY);
    merged.set(state.id, { ...state, steps, dropped, leftMs });
  }
  return [...merged.values()];
}
