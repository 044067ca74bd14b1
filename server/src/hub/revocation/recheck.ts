import type { Access } from '../../access/access.ts';
import { userOf } from '../../access/grant.ts';
import type { EndingRight, RenewalProof, RightDescription } from '../../access/renewer.ts';
import type { App } from '../../apps/app.ts';
import type { Concerned } from './concerned.ts';
import type { Endings } from './endings.ts';

/** Milliseconds that a backend has to answer. */
const ANSWER_MS = 4500;

interface RecheckParts {
  readonly access: Access;
  readonly endings: Endings;
}

/**
 * Asks the backend at once about grants, and ends those that it refuses. Resolves when it has answered, or has had the
 * time to.
 *
 * @returns how many it has not answered; they stay as they are
 */
export async function recheck(parts: RecheckParts, concerned: readonly Concerned[]): Promise<number> {
  // A backend signs grants; it issues no tokens, and nothing is signed for public channels.
  const signed = concerned.filter(
    ({ local, subscription }) =>
      local.channel.kind !== 'public' && local.channel.kind !== 'user' && !subscription.grant.token,
  );
  const until = parts.access.monotonic() + ANSWER_MS;
  const rights = signed.map((each) => new RecheckedRight(parts, each, until));
  for (const right of rights) parts.access.askBackend(right);
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ANSWER_MS);
  });
  await Promise.race([Promise.all(rights.map(({ answered }) => answered)), tooLate]);
  clearTimeout(timer);
  return rights.filter(({ isAnswered }) => !isAnswered).length;
}

/** A grant about which the backend is asked before its end. */
class RecheckedRight implements EndingRight {
  readonly answered: Promise<void>;
  isAnswered = false;
  readonly #parts: RecheckParts;
  readonly #of: Concerned;
  readonly #grant: Concerned['subscription']['grant'];
  #settle: () => void = () => {};

  constructor(
    parts: RecheckParts,
    of: Concerned,
    readonly askedUntil: number,
  ) {
    this.#parts = parts;
    this.#of = of;
    this.#grant = of.subscription.grant;
    this.answered = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get app(): App {
    return this.#of.local.app;
  }

  get isOver(): boolean {
    const { local, subscriber, subscription } = this.#of;
    return local.get(subscriber) !== subscription || subscription.grant !== this.#grant;
  }

  describe(): RightDescription {
    const { local, subscriber, subscription } = this.#of;
    const { grant, term } = subscription;
    return {
      socket_id: subscriber.socketId,
      channel: local.channel.name,
      user_id: userOf(grant) ?? subscriber.userId ?? null,
      grant_id: grant.claims?.id ?? null,
      expires_at: term?.expiresAt ?? null,
      channel_data: grant.signedData ?? null,
    };
  }

  async renew(proof: RenewalProof): Promise<void> {
    await this.#of.subscriber.renew(this.#of.local.channel.name, proof);
    this.#settled();
  }

  refuse(reason: string): void {
    const { local, subscriber } = this.#of;
    this.#parts.endings.refuse(this.app, local.channel.name, subscriber, reason);
    this.#settled();
  }

  #settled(): void {
    this.isAnswered = true;
    this.#settle();
  }
}
