import type { App } from '../../apps/app.ts';
import { diagnose } from './diagnosis.ts';
import type { Claim } from './guesses.ts';

/** Explanations a second: one takes some milliseconds, in which the node does nothing else. */
const MAX_PER_SECOND = 10;
/** Recent socket ids of the app, one of which a backend may have signed by mistake. */
const MAX_SOCKET_IDS = 100;

export interface ExplainerParts {
  /** Socket ids of the app, the newest first. */
  readonly socketIds: (app: App, limit: number) => readonly string[];
  /** Milliseconds, by a clock that nobody sets. */
  readonly monotonic: () => number;
}

/** Tells clients of apps with `explainRefusals` which mistake the backend made. */
export class Explainer {
  readonly #parts: ExplainerParts;
  #second = -1;
  #explained = 0;

  constructor(parts: ExplainerParts) {
    this.#parts = parts;
  }

  /** One sentence; `undefined` if the app does not want it, or too many were refused in this second. */
  explain(app: App, claim: Claim, auth: unknown): string | undefined {
    if (!app.explainRefusals) return undefined;
    const second = Math.floor(this.#parts.monotonic() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#explained = 0;
    }
    this.#explained += 1;
    if (this.#explained > MAX_PER_SECOND) return undefined;
    const socketIds = this.#parts.socketIds(app, MAX_SOCKET_IDS);
    return diagnose(app, claim, auth, { socketIds, channels: [] }).summary;
  }
}
