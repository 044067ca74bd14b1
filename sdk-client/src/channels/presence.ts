import type { ChannelGrant } from '../auth/grants.ts';
import { asObject, INTERNAL, parseJson } from '../connection/protocol.ts';
import { failure } from '../errors.ts';
import { Channel } from './channel.ts';
import type { AnyEvents } from './channel-events.ts';

/** A user in a presence channel, with one or more connections. */
export interface Member<Info = unknown> {
  /** The user id, always as a string. */
  readonly id: string;
  /** `user_info` of the channel data that the app signed; null or undefined if there was none. */
  readonly info: Info;
}

/**
 * The members of a presence channel: complete while the channel is subscribed, empty otherwise.
 *
 * @example
 * ```ts
 * const { members } = client.subscribe('presence-lobby') as PresenceChannel;
 * console.log(members.count, members.me?.id);
 * ```
 */
export class Members<Info = unknown> {
  // A map, because `__proto__` is a valid user id.
  readonly #infos = new Map<string, Info>();
  /** The id of this client's user; `undefined` before the first grant. */
  myID: string | undefined;

  /** Number of members. */
  get count(): number {
    return this.#infos.size;
  }

  /** This client's user; null while the channel is not subscribed. */
  get me(): Member<Info> | null {
    return this.myID === undefined ? null : this.get(this.myID);
  }

  /**
   * Returns a member by id, or null.
   *
   * @example
   * ```ts
   * const lobby = client.subscribe('presence-lobby') as PresenceChannel;
   * const ann = lobby.members.get('ann');
   * ```
   */
  get(id: string | number): Member<Info> | null {
    const key = String(id);
    return this.#infos.has(key) ? { id: key, info: this.#infos.get(key) as Info } : null;
  }

  /**
   * Calls `callback` for each member, in no particular order.
   *
   * @example
   * ```ts
   * const lobby = client.subscribe('presence-lobby') as PresenceChannel;
   * lobby.members.each(({ id, info }) => console.log(id, info));
   * ```
   */
  each(callback: (member: Member<Info>) => void): void {
    for (const [id, info] of [...this.#infos]) callback({ id, info });
  }

  /** @internal */
  replace(infos: Readonly<Record<string, unknown>>): void {
    this.#infos.clear();
    for (const id of Object.keys(infos)) this.#infos.set(id, infos[id] as Info);
  }

  /** @internal @returns the member if it is new */
  add(id: string, info: Info): Member<Info> | null {
    const isNew = !this.#infos.has(id);
    this.#infos.set(id, info);
    return isNew ? { id, info } : null;
  }

  /** @internal @returns the member if there was one */
  remove(id: string): Member<Info> | null {
    const member = this.get(id);
    this.#infos.delete(id);
    return member;
  }
}

/** The type of members' info, which a channel map declares as the event `pusher:member`. */
export type MemberInfo<Events> = Events extends { 'pusher:member': infer Info } ? Info : unknown;

/** Events of the protocol on presence channels. */
export interface PresenceEvents<Info> {
  'pusher:subscription_succeeded': Members<Info>;
  'pusher:member_added': Member<Info>;
  'pusher:member_removed': Member<Info>;
}

/**
 * A channel with a list of its members.
 *
 * @example
 * ```ts
 * const lobby = client.subscribe('presence-lobby') as PresenceChannel;
 * lobby.on('pusher:member_added', ({ id, info }) => console.log(id, info));
 * ```
 */
export class PresenceChannel<Events extends object = AnyEvents> extends Channel<
  PresenceEvents<MemberInfo<Events>> & Events
> {
  /** The members, this client's user included. */
  readonly members = new Members<MemberInfo<Events>>();

  /** @internal */
  override reset(): void {
    super.reset();
    this.members.replace({});
  }

  /** @internal */
  protected override async grant(socketId: string, signal: AbortSignal): Promise<ChannelGrant> {
    const grant = await super.grant(socketId, signal);
    // Without a member, the channel data holds nothing but claims.
    const id = asObject(parseJson(grant.channel_data))?.['user_id'] ?? (await this.owner.userId());
    if (id === undefined) {
      throw failure(`"${this.name}" needs channel_data with user_id, or a sign-in`, 200, {
        reason: 'member_missing',
      });
    }
    // A late response must not replace the id of a newer one.
    if (!signal.aborted) this.members.myID = String(id);
    return grant;
  }

  /** @internal */
  protected override accepted(data: unknown): Members<MemberInfo<Events>> {
    this.members.replace(asObject(asObject(asObject(data)?.['presence'])?.['hash']) ?? {});
    return this.members;
  }

  /** @internal */
  protected override internal(event: string, data: Readonly<Record<string, unknown>>): void {
    const id = String(data['user_id']);
    const joined = event === `${INTERNAL}member_added`;
    const member = joined
      ? this.members.add(id, data['user_info'] as MemberInfo<Events>)
      : this.members.remove(id);
    if (member) this.emit(joined ? 'pusher:member_added' : 'pusher:member_removed', member);
  }
}
