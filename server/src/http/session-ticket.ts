/** Tickets of sessions: signed texts that every node can verify, which end when they are not used, and in any case after a while. */
import { type KeyObject, randomBytes } from 'node:crypto';
import { sign, verify } from '@countersign/sdk-server/signature';
import { z } from 'zod';

/** Milliseconds without a request after which a session ends. */
const IDLE_MS = 30 * 60_000;
/** Milliseconds after which a session ends in any case. */
const LIFETIME_MS = 12 * 60 * 60_000;

const ticketSchema = z.tuple([z.array(z.string()), z.string(), z.number()]);

/** What a ticket says. */
export interface Claims {
  readonly who: readonly string[];
  /** Starts with the time when the session ends in any case, in Unix milliseconds. */
  readonly id: string;
}

export function newSessionId(now: number): string {
  return `${now + LIFETIME_MS}-${randomBytes(16).toString('hex')}`;
}

/** When a session ends in any case, in Unix milliseconds. */
export function endOf(sessionId: string): number {
  return Number.parseInt(sessionId, 10);
}

/**
 * A ticket that is good for half an hour.
 *
 * @param scope names what the ticket is good for; it is a part of the signed text
 */
export function makeTicket(secret: KeyObject, scope: string, { who, id }: Claims, now: number): string {
  const text = Buffer.from(JSON.stringify([who, id, now + IDLE_MS])).toString('base64url');
  return `${text}.${sign(secret, `${scope}\n${text}`)}`;
}

/** What a ticket says, unless that has ended. Nobody has verified it yet. */
export function claimsOf(ticket: string, now: number): Claims | undefined {
  const [text = ''] = ticket.split('.', 1);
  const read = ticketSchema.safeParse(parse(Buffer.from(text, 'base64url').toString()));
  if (!read.success) return undefined;
  const [who, id, until] = read.data;
  return Math.min(until, endOf(id)) > now ? { who, id } : undefined;
}

export function isSigned(secret: KeyObject, scope: string, ticket: string): boolean {
  const [text = '', signature] = ticket.split('.', 2);
  return verify(secret, `${scope}\n${text}`, signature);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
