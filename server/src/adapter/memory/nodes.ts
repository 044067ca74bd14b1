import type { BusListener } from '../adapter.ts';
import { type Answers, answerMsOf, NOTHING_DONE, type Nodes, type Question } from '../questions.ts';

/** The name of the one node. */
const NODE = 'node-1';

/** A node on its own, which may consist of several processes. */
export class MemoryNodes implements Nodes {
  #listener: BusListener | undefined;

  attach(listener: BusListener): void {
    this.#listener = listener;
  }

  async ask(question: Question): Promise<Answers> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, answerMsOf(question), undefined);
    });
    const answered = this.#listener?.answer(question).catch(() => undefined);
    const answer = await Promise.race([answered, tooLate]);
    clearTimeout(timer);
    const isDone = answer !== undefined && !answer.isPartial;
    return { ...(answer ?? NOTHING_DONE), total: 1, pending: isDone ? [] : [NODE] };
  }
}
