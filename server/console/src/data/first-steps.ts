import type { Live } from './live.ts';

/** What a new app does first, in order. */
export const STEPS = ['connected', 'published', 'private'] as const;
export type Step = (typeof STEPS)[number];

/** The steps that the app has done since its nodes started. */
export function stepsDone({ series }: Live): readonly Step[] {
  const reports = series.figures;
  const done: Record<Step, boolean> = {
    connected: reports.some(({ connections, messagesIn }) => connections > 0 || messagesIn > 0),
    published: reports.some(({ publishes }) => publishes > 0),
    private: reports.some(({ keys }) => keys.some(({ channels = 0 }) => channels > 0)),
  };
  return STEPS.filter((step) => done[step]);
}

/** Remembers in this browser what an app has done, and whether the user has seen enough of the steps. */
export class StepMemory {
  readonly #key: string;

  constructor(appId: string) {
    this.#key = `countersign-steps-${appId}`;
  }

  get isOver(): boolean {
    return localStorage.getItem(this.#key) === 'over';
  }

  get steps(): readonly Step[] {
    const kept = localStorage.getItem(this.#key)?.split(' ') ?? [];
    return STEPS.filter((step) => kept.includes(step));
  }

  keep(steps: readonly Step[]): void {
    if (!this.isOver) localStorage.setItem(this.#key, steps.join(' '));
  }

  end(): void {
    localStorage.setItem(this.#key, 'over');
  }
}
