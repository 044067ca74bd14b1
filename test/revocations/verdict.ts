/** What orders to take back allow and forbid to happen. */
import { expect } from 'vitest';
import type { Ask, Holder, Told } from './holder.ts';

/** An order of the application, which the broker has carried out. Times without a unit are those of the ticker. */
export interface Order {
  readonly target: {
    readonly user_id?: string;
    readonly channel?: string;
    readonly channel_prefix?: string;
    readonly grant_id?: string;
    readonly socket_id?: string;
    readonly key?: string;
  };
  /** `key`: the key was revoked, and all that it signed with it. */
  readonly action: 'end' | 'disconnect' | 'reconnect' | 'key';
  readonly except: string | undefined;
  readonly blocks: boolean;
  readonly began: number;
  /** Unix milliseconds. */
  readonly beganMs: number;
  /** Infinity until the broker has confirmed it. */
  done: number;
  isLifted: boolean;
}

export interface Published {
  readonly id: string;
  readonly channel: string;
  readonly began: number;
}

export function concerns({ target, except }: Order, ask: Ask): boolean {
  return (
    ask.socketId !== except &&
    (target.user_id === undefined || target.user_id === ask.userId) &&
    (target.channel === undefined || target.channel === ask.channel) &&
    (target.channel_prefix === undefined || ask.channel.startsWith(target.channel_prefix)) &&
    (target.grant_id === undefined || target.grant_id === ask.grantId) &&
    (target.socket_id === undefined || target.socket_id === ask.socketId) &&
    (target.key === undefined || target.key === ask.key)
  );
}

/** Whether an order has surely taken back what was asked for, however the race between the two went. */
export function takesBack(order: Order, ask: Ask): boolean {
  const { action, began, beganMs, blocks, isLifted } = order;
  if (action === 'reconnect' || !concerns(order, ask)) return false;
  if (action === 'key' || (blocks && !isLifted)) return true;
  return ask.iat === undefined ? ask.openedAt < began : ask.iat <= Math.floor(beganMs / 1000);
}

/** Fails if a connection was delivered what it may not have, or lost what nobody has taken. */
export function judge(holder: Holder, orders: readonly Order[], published: readonly Published[]): void {
  for (const told of holder.told) {
    if (told.kind === 'event') checkEvent(holder, told, orders, published);
    else expect(whyTold(holder, told, orders), describe(holder, told)).not.toBeUndefined();
  }
}

function checkEvent(
  holder: Holder,
  told: Extract<Told, { kind: 'event' }>,
  orders: readonly Order[],
  published: readonly Published[],
): void {
  const { began } = published.find(({ id }) => id === told.id)!;
  expect(told.isInside, `${describe(holder, told)}, outside of the channel`).toBe(true);
  const inTime = orders.filter(({ done }) => done < began);
  const asks = holder.asksFor(told.channel).filter(({ at }) => at < told.at);
  const isTaken = asks.every((ask) => inTime.some((order) => takesBack(order, ask)));
  expect(isTaken, `${describe(holder, told)}, after all was taken back`).toBe(false);
}

/** What explains an end or a refusal; `undefined`: nothing does. */
function whyTold(holder: Holder, told: Exclude<Told, { kind: 'event' }>, orders: readonly Order[]): unknown {
  const { node } = holder;
  const asks = holder.asks.filter(({ at }) => at < told.at);
  const order = (action: readonly Order['action'][], some: readonly Ask[]) =>
    orders.find(
      (each) =>
        each.began < told.at && action.includes(each.action) && some.some((ask) => concerns(each, ask)),
    );
  if (told.kind === 'closed') {
    // An order for a socket id concerns the connection itself, whatever it holds.
    const ofSocket = (action: Order['action']) =>
      orders.find(
        (each) => each.began < told.at && each.action === action && each.target.socket_id === holder.socketId,
      );
    if (told.code === 4009) return order(['disconnect'], asks) ?? ofSocket('disconnect');
    if (told.code === 4200)
      return order(['reconnect'], asks) ?? ofSocket('reconnect') ?? (node.wasPaused || undefined);
    return told.code === 1006 && node.isDead ? 'the node was killed' : undefined;
  }
  const ofChannel = asks.filter(({ channel }) => channel === told.channel);
  switch (told.code) {
    case 'grant_revoked':
      return order(['end', 'disconnect'], ofChannel);
    case 'blocked':
      return orders.find((each) => each.blocks && ofChannel.some((ask) => concerns(each, ask)));
    case 'key_revoked':
      return order(['key'], ofChannel);
    case 'grant_expired':
      return ofChannel.find(({ exp }) => exp !== undefined);
    case 'unavailable':
      return 'it could not be asked, and let nobody in';
    default:
      return undefined;
  }
}

function describe({ userId, node, asks }: Holder, told: Told): string {
  return `${JSON.stringify(told)} of ${userId} on node ${node.place} with ${JSON.stringify(asks)}`;
}
