import { randomBytes } from 'node:crypto';
import { isSocketId } from '@countersign/sdk-server/signature';
import { z } from 'zod';
import type { Answers } from '../../adapter/questions.ts';
import type { RecordedStep, RecordingState, StepDetails, StepKind } from '../../adapter/recordings.ts';
import { ApiError } from '../../errors.ts';
import { parseBody } from '../../http/body.ts';
import { describe } from '../../http/check.ts';
import { isWellFormed } from '../../protocol/well-formed.ts';
import { MAX_RECORDINGS } from '../../recorder/flight-recorder.ts';
import { byPlace } from '../../recorder/recording.ts';
import type { Call, Endpoint } from '../endpoint.ts';
import { readLimit } from '../requests/page.ts';
import { forgottenAnswer, recordedAnswer, recordingAnswer, recordingsAnswer } from './answer-schemas.ts';

/** A recording, as the API shows it. */
export interface RecordingView {
  readonly id: string;
  readonly user_id?: string | undefined;
  readonly socket_id?: string | undefined;
  /** Unix seconds. */
  readonly ends_at: number;
  readonly goes_on: boolean;
  readonly steps: number;
  /** Steps that had to go because there were too many. */
  readonly dropped: number;
}

/** A step of the protocol, as the API shows it. */
export interface StepView extends StepDetails {
  /** Unix milliseconds. */
  readonly at_ms: number;
  readonly socket_id: string;
  readonly step: StepKind;
}

const MAX_SECONDS = 3600;
const recordingSchema = z.strictObject({
  user_id: z
    .string()
    .min(1)
    .max(128)
    .refine(isWellFormed, 'must not hold one half of a surrogate pair')
    .optional(),
  socket_id: z.string().refine(isSocketId, 'expected digits, a dot, digits').optional(),
  seconds: z.int().min(1).max(MAX_SECONDS).default(600),
});

/** `POST recordings`: records every step of the protocol on the connections of a user or socket id, on every node. */
export const makeRecording: Endpoint = {
  method: 'POST',
  path: 'recordings',
  publishes: false,
  scope: 'audit',
  body: recordingSchema,
  answer: recordingAnswer,
  async run(call) {
    const { app, body, adapter } = call;
    const { user_id: userId, socket_id: socketId, seconds } = read(parseBody(body));
    const id = `rec-${randomBytes(12).toString('hex')}`;
    const recording = { id, appId: app.id, userId, socketId, leftMs: seconds * 1000 };
    const { pending } = await adapter.nodes.ask({ kind: 'record', recording });
    const [begun] = (await ask(call, id, '', 0)).recordings;
    if (!begun) {
      call.reached('recordings');
      throw new ApiError(
        409,
        'too_many_recordings',
        `The app has ${MAX_RECORDINGS} recordings, or all apps have too many: DELETE one that is not needed any more`,
      );
    }
    return { ...view(begun, call.now()), ...named(pending) };
  },
};

/** `GET recordings`: those that go on, and those that ended in the last hour. */
export const listRecordings: Endpoint = {
  method: 'GET',
  path: 'recordings',
  publishes: false,
  scope: 'audit',
  answer: recordingsAnswer,
  async run(call) {
    const { recordings, pending } = await ask(call, undefined, '', 0);
    return { recordings: recordings.map((each) => view(each, call.now())), ...named(pending) };
  },
};

/** `GET recordings/ID`: what was recorded, a page at a time. */
export const readRecording: Endpoint = {
  method: 'GET',
  path: 'recordings/:subject',
  publishes: false,
  scope: 'audit',
  answer: recordedAnswer,
  async run(call) {
    const limit = readLimit(call.query);
    // One more than asked for shows whether there is another page.
    const answers = await ask(call, call.subject, call.query.get('cursor') ?? '', limit + 1);
    const [recording] = answers.recordings;
    if (!recording) throw unknown(call.subject);
    // Processes that have started since begin now.
    if (recording.leftMs > 0) await call.adapter.nodes.ask({ kind: 'record', recording });
    const sorted = [...answers.steps].sort(byPlace);
    const page = sorted.slice(0, limit);
    return {
      recording: view(recording, call.now()),
      steps: page.map(viewOfStep),
      ...(sorted.length > limit && { cursor: page.at(-1)?.place }),
      ...named(answers.pending),
    };
  },
};

/** `DELETE recordings/ID`: ends a recording, and forgets what was recorded. */
export const deleteRecording: Endpoint = {
  method: 'DELETE',
  path: 'recordings/:subject',
  publishes: false,
  scope: 'audit',
  answer: forgottenAnswer,
  async run(call) {
    const { app, subject, adapter } = call;
    if ((await ask(call, subject, '', 0)).recordings.length === 0) throw unknown(subject);
    const { pending } = await adapter.nodes.ask({ kind: 'forgetRecording', appId: app.id, id: subject });
    return named(pending);
  },
};

export const recordingEndpoints: readonly Endpoint[] = [
  makeRecording,
  listRecordings,
  readRecording,
  deleteRecording,
];

function ask(
  { app, adapter }: Pick<Call, 'app' | 'adapter'>,
  id: string | undefined,
  after: string,
  limit: number,
): Promise<Answers> {
  return adapter.nodes.ask({ kind: 'recorded', appId: app.id, id, after, limit });
}

function read(value: unknown): z.infer<typeof recordingSchema> {
  const result = recordingSchema.safeParse(value, { reportInput: true });
  if (!result.success) {
    const issue = result.error.issues[0]!;
    const unknownKeys = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
    const path = [...issue.path, ...unknownKeys].join('.').slice(0, 100) || 'the body';
    throw invalid(
      path,
      unknownKeys.length > 0 ? 'no such field' : `${describe(issue.input)}: ${issue.message}`,
    );
  }
  const { user_id: userId, socket_id: socketId } = result.data;
  if ((userId === undefined) === (socketId === undefined))
    throw invalid('user_id', 'give either "user_id" or "socket_id"');
  return result.data;
}

function invalid(field: string, why: string): ApiError {
  return new ApiError(400, 'recording_invalid', `"${field}": ${why}`);
}

function unknown(id: string): ApiError {
  return new ApiError(
    404,
    'recording_unknown',
    `There is no recording "${id.slice(0, 64)}": GET recordings lists those of the last hour`,
  );
}

function named(pending: readonly string[]): object {
  return pending.length > 0 ? { pending } : {};
}

function view({ id, userId, socketId, leftMs, steps, dropped }: RecordingState, now: number): RecordingView {
  const target = userId === undefined ? { socket_id: socketId } : { user_id: userId };
  return { id, ...target, ends_at: Math.ceil((now + leftMs) / 1000), goes_on: leftMs > 0, steps, dropped };
}

function viewOfStep({ at, socketId, kind, details }: RecordedStep): StepView {
  return { at_ms: at, socket_id: socketId, step: kind, ...details };
}
