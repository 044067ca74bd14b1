import { ArgumentError, type RequestError, TimeoutError } from '../errors.ts';
import { isRecord } from '../json.ts';
import type { Settings } from '../options.ts';
import type { ChannelAttributes } from './broker-answers.ts';
import type { BatchItem } from './event.ts';
import { PublishLink } from './publish-link.ts';
import { refused } from './request.ts';
import { backoff, retryDelay } from './retry.ts';

/** Frames that the broker reads before it answers one. */
const MAX_UNANSWERED = 1000;
/** Bytes of a frame that the broker takes. */
const MAX_FRAME_BYTES = 1_048_576;
/** Failed attempts after which the pause before the next one grows no more. */
const LONGEST_BACKOFF = 3;

/** Events that travel together, and whoever waits for their answer. */
interface Frame {
  readonly id: number;
  readonly text: string;
  readonly deadline: number;
  /** Ends the waiting. */
  readonly timer: NodeJS.Timeout;
  /** How often it was sent. */
  sends: number;
  /** Nobody waits for it any more. */
  isOver: boolean;
  resolve(batch: readonly ChannelAttributes[]): void;
  reject(error: Error): void;
}

/**
 * Publishes over one WebSocket (docs/publish-socket.md). It connects when there is something to send. What is not answered
 * when the connection breaks is sent again on the next one: each event has an idempotency key, so it is published once.
 */
export class PublishSocket {
  readonly #settings: Settings;
  /** What is to be sent, in its order. */
  #unsent: Frame[] = [];
  /** What is sent and not answered, in its order. */
  readonly #sent = new Map<number, Frame>();
  /** What the broker refused for the moment. */
  readonly #paused = new Map<Frame, NodeJS.Timeout>();
  #link: PublishLink | undefined;
  /** Waits before the next attempt to connect. */
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #lastId = 0;
  /** Why the last connection failed or broke. */
  #lastError: RequestError | undefined;
  #onIdle: (() => void)[] = [];

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * Publishes events in their order, or none of them.
   *
   * @param deadline by `performance.now()`
   * @returns the attributes of the channel of each event
   * @throws ArgumentError `too_large`
   * @throws RequestError, NetworkError, TimeoutError as a request does
   */
  async send(events: readonly BatchItem[], deadline: number): Promise<readonly ChannelAttributes[]> {
    this.#lastId += 1;
    const id = this.#lastId;
    const text = JSON.stringify({ id, events });
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_FRAME_BYTES) {
      throw new ArgumentError('too_large', `The events have ${bytes} bytes; ${MAX_FRAME_BYTES} are allowed`);
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#timeOut(frame), Math.max(0, deadline - performance.now()));
      const frame: Frame = { id, text, deadline, timer, sends: 0, isOver: false, resolve, reject };
      this.#unsent.push(frame);
      this.#advance();
    });
  }

  /** Closes the connection when all is answered. */
  async close(): Promise<void> {
    if (this.#waits) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    this.#link?.close();
    this.#link = undefined;
  }

  get #waits(): boolean {
    return this.#unsent.length + this.#sent.size + this.#paused.size > 0;
  }

  /** Sends what can be sent, and connects if there is need. */
  #advance(): void {
    if (this.#unsent.length === 0) return;
    if (!this.#link) {
      if (!this.#retry) this.#connect();
      return;
    }
    if (!this.#link.isOpen) return;
    const room = MAX_UNANSWERED - this.#sent.size;
    for (const frame of this.#unsent.splice(0, room)) {
      frame.sends += 1;
      this.#sent.set(frame.id, frame);
      this.#link.send(frame.text);
    }
  }

  #connect(): void {
    const link = new PublishLink(this.#settings, {
      opened: () => {
        this.#advance();
        link.expect(this.#sent.size > 0);
      },
      received: (text) => this.#receive(text),
      ended: (error) => {
        if (this.#link !== link) return;
        this.#link = undefined;
        this.#lost(error);
      },
    });
    this.#link = link;
  }

  /** The connection broke or was refused: what is not answered is to be sent again. */
  #lost(error: RequestError): void {
    this.#lastError = error;
    const waiting = [...this.#sent.values(), ...this.#unsent].filter(({ isOver }) => !isOver);
    this.#sent.clear();
    const { maxRetries } = this.#settings;
    const isFinal = error.status !== undefined && error.status < 500 && error.status !== 429;
    const isLost = ({ sends }: Frame) => isFinal || maxRetries === 0 || sends > maxRetries;
    this.#unsent = waiting.filter((frame) => !isLost(frame));
    for (const frame of waiting.filter(isLost)) this.#fail(frame, error);
    if (this.#unsent.length === 0) return this.#tellIdle();
    const delay = (error.retryAfter ?? 0) + backoff(Math.min(this.#failures, LONGEST_BACKOFF));
    this.#failures += 1;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#advance();
    }, delay);
  }

  #receive(text: string): void {
    const answer = readAnswer(text);
    const frame = answer && this.#sent.get(answer.id);
    // Not a broker, or not one that can be relied upon.
    if (!answer || !frame) return this.#link?.abort(`sent no answer to a frame: ${text.slice(0, 200)}`);
    this.#failures = 0;
    this.#sent.delete(frame.id);
    if (frame.isOver) this.#tellIdle();
    else if (answer.status === 200) this.#finish(frame, () => frame.resolve(answer.batch));
    else this.#refused(frame, answer, text);
    this.#link?.expect(this.#sent.size > 0);
    this.#advance();
  }

  #refused(frame: Frame, { status, retryAfter }: FrameAnswer, body: string): void {
    const { url = '', what = '' } = this.#link ?? {};
    const error = refused(this.#settings, `A frame of ${what}`, { url, status, body }, retryAfter);
    const delay =
      frame.sends > this.#settings.maxRetries ? undefined : retryDelay(true, error, frame.sends - 1);
    if (delay === undefined || performance.now() + delay >= frame.deadline) return this.#fail(frame, error);
    const timer = setTimeout(() => {
      this.#paused.delete(frame);
      this.#unsent.push(frame);
      this.#advance();
    }, delay);
    this.#paused.set(frame, timer);
  }

  #timeOut(frame: Frame): void {
    const { url = '', what = 'The WebSocket' } = this.#link ?? {};
    const isNotSent = frame.sends === 0 && this.#lastError !== undefined && !this.#link?.isOpen;
    const index = this.#unsent.indexOf(frame);
    if (index >= 0) this.#unsent.splice(index, 1);
    const message = `A frame of ${what} was not answered within ${this.#settings.timeout} ms`;
    this.#fail(frame, isNotSent ? this.#lastError! : new TimeoutError(message, { url }));
  }

  #fail(frame: Frame, error: RequestError): void {
    this.#finish(frame, () => frame.reject(error));
  }

  /** Nobody waits for this frame any more. */
  #finish(frame: Frame, tell: () => void): void {
    frame.isOver = true;
    clearTimeout(frame.timer);
    clearTimeout(this.#paused.get(frame));
    this.#paused.delete(frame);
    tell();
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#waits) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

/** The broker's answer to a frame. */
interface FrameAnswer {
  readonly id: number;
  readonly status: number;
  readonly batch: readonly ChannelAttributes[];
  /** Milliseconds. */
  readonly retryAfter: number | undefined;
}

function readAnswer(text: string): FrameAnswer | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(answer)) return undefined;
  const { id, status, batch = [], retry_after: seconds } = answer;
  if (typeof id !== 'number' || typeof status !== 'number' || !Array.isArray(batch)) return undefined;
  return { id, status, batch, retryAfter: typeof seconds === 'number' ? seconds * 1000 : undefined };
}
