import { z } from 'zod';
import type { ScriptRunner } from '../../redis/script-runner.ts';
import {
  keptUntil,
  type Revocation,
  type RevocationBounds,
  type RevocationPage,
  type Revocations,
  revocationBytes,
} from '../revocations.ts';
import type { Keys } from './keys.ts';
import { revocationSchema } from './messages/question.ts';
import { scripts } from './scripts.ts';

const appsSchema = z.array(z.string());
const pageSchema = z.tuple([z.string(), z.array(z.string()), z.number()]);
const timeSchema = z.number();
const FIRST = '0';

/** The revocations of all apps, in Redis, whose clock dates them. */
export class RedisRevocations implements Revocations {
  readonly #commands: ScriptRunner;
  readonly #keys: Keys;

  constructor(commands: ScriptRunner, keys: Keys) {
    this.#commands = commands;
    this.#keys = keys;
  }

  async now(): Promise<number> {
    return timeSchema.parse(await this.#commands.run(scripts.revocationTime, this.#keys.revocations));
  }

  async keep(revocation: Revocation, bounds: RevocationBounds): Promise<boolean> {
    const kept = await this.#commands.run(
      scripts.keepRevocation,
      this.#keys.revocations,
      revocation.appId,
      revocation.id,
      JSON.stringify(revocation),
      Math.ceil(keptUntil(revocation)),
      revocationBytes(revocation),
      bounds.count,
      bounds.bytes,
    );
    return kept === 1;
  }

  async forget(appId: string, id: string): Promise<void> {
    await this.#commands.run(scripts.forgetRevocation, this.#keys.revocations, appId, id);
  }

  /** Forgets those of an app, which is gone. */
  async forgetApp(appId: string): Promise<void> {
    const endings = [`:ends:${appId}`, `:kept:${appId}`, `:bytes:${appId}`];
    await this.#commands.run(scripts.forgetKeys, this.#keys.revocations, ...endings);
  }

  /** They persist as far as Redis does. */
  async isPersisted(): Promise<boolean> {
    return true;
  }

  /** A cursor is that of Redis in an app, a space, and the app. */
  async page(cursor?: string): Promise<RevocationPage> {
    const apps = appsSchema.parse(
      await this.#commands.run(scripts.appsOfRevocations, this.#keys.revocations),
    );
    const [at, appId] = cursor === undefined ? [FIRST, apps[0]] : split(cursor);
    if (appId === undefined) return { revocations: [], now: await this.now() };
    const answer = await this.#commands.run(scripts.revocationPage, this.#keys.revocations, appId, at);
    const [next, texts, now] = pageSchema.parse(answer);
    const revocations = texts.map((text) => revocationSchema.parse(JSON.parse(text)));
    if (next !== FIRST) return { revocations, now, cursor: `${next} ${appId}` };
    const following = apps.find((each) => each > appId);
    return following === undefined
      ? { revocations, now }
      : { revocations, now, cursor: `${FIRST} ${following}` };
  }
}

function split(cursor: string): [string, string] {
  const space = cursor.indexOf(' ');
  return [cursor.slice(0, space), cursor.slice(space + 1)];
}
