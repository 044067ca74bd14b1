import { Deadline } from '../access/deadline-queue.ts';
import type { EndingRight } from '../access/renewer.ts';

/** A right that a backend is asked about, until it has answered or the right has ended. */
export class Question extends Deadline {
  readonly right: EndingRight;
  readonly #askAgain: (question: Question) => void;
  /** Requests about it that got no valid answer. */
  failures = 0;

  /** @param askAgain called when the pause after a failure is over */
  constructor(right: EndingRight, askAgain: (question: Question) => void) {
    super();
    this.right = right;
    this.#askAgain = askAgain;
  }

  override meet(): undefined {
    this.#askAgain(this);
  }

  /** Whether nobody needs the answer any more. */
  isOver(now: number): boolean {
    return this.right.isOver || now >= this.right.askedUntil;
  }
}
