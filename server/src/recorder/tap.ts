import type { StepDetails, StepKind } from '../adapter/recordings.ts';
import { type Frame, payloadOf, textOf } from '../protocol/frames.ts';
import { asObject, parseObject } from '../protocol/messages.ts';
import type { Recording } from './recording.ts';

/** Characters of a name or reason that a step holds. */
const MAX_TEXT = 200;

/** Notes the steps of one connection for the recordings that concern it. */
export class Tap {
  readonly #socketId: string;
  readonly #monotonic: () => number;
  readonly #recordings = new Set<Recording>();
  #count = 0;

  constructor(socketId: string, monotonic: () => number) {
    this.#socketId = socketId;
    this.#monotonic = monotonic;
  }

  get isIdle(): boolean {
    return this.#recordings.size === 0;
  }

  /** @returns whether it is new here */
  add(recording: Recording): boolean {
    if (this.#recordings.has(recording)) return false;
    this.#recordings.add(recording);
    return true;
  }

  remove(recording: Recording): void {
    this.#recordings.delete(recording);
  }

  /** A frame from the client: its name and channel, and nothing else of it. */
  received(data: Buffer): void {
    const { event, channel, data: inner } = parseObject(data.toString()) ?? {};
    const named = channel ?? (typeof inner === 'string' ? parseObject(inner) : asObject(inner))?.['channel'];
    this.note('received', { event: textIn(event), channel: textIn(named), bytes: data.length });
  }

  /** A Ping or Pong of the WebSocket. */
  receivedControl(): void {
    this.note('received', { event: '(control frame)' });
  }

  /** A frame to the client: its name and channel, and the code of an error. */
  sent(frame: Frame): void {
    const { event, channel, data } = parseObject(textOf(frame)) ?? {};
    const inner = isError(event)
      ? typeof data === 'string'
        ? parseObject(data)
        : asObject(data)
      : undefined;
    const code = textIn(inner?.['error_code'] ?? inner?.['code']);
    this.note('sent', { event: textIn(event), channel: textIn(channel), bytes: payloadOf(frame), code });
  }

  note(kind: StepKind, details: StepDetails): void {
    const now = this.#monotonic();
    this.#count += 1;
    const cut = cutTexts(details);
    for (const recording of this.#recordings) recording.add(now, this.#socketId, this.#count, kind, cut);
  }
}

const ERRORS: ReadonlySet<unknown> = new Set([
  'pusher:error',
  'pusher:subscription_error',
  'countersign:nack',
  'countersign:terminated',
  'countersign:authentication_failed',
]);

function isError(event: unknown): boolean {
  return ERRORS.has(event);
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function cutTexts(details: StepDetails): StepDetails {
  const known = Object.entries(details).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    known.map(([name, value]) => [name, typeof value === 'string' ? value.slice(0, MAX_TEXT) : value]),
  );
}
