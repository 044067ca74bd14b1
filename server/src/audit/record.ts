/** Records of the audit log: their canonical form, and the chain that ties each to the one before. */
import { hash } from 'node:crypto';
import { isIP } from 'node:net';

/** What the admin API changes. */
export const administrationTypes = [
  'app.created',
  'app.updated',
  'app.deleted',
  'key.created',
  'key.updated',
  'key.deleted',
  'webhook.created',
  'webhook.updated',
  'webhook.deleted',
  'webhook.secret_added',
  'token.created',
  'token.deleted',
  'node.drained',
] as const;

export type AdministrationType = (typeof administrationTypes)[number];

/** What is recorded. docs/audit.md has the table. */
export const auditTypes = [
  'grant_used',
  'grant_refused',
  'grant_renewed',
  'grant_expired',
  'grant_revoked',
  'signed_in',
  'sign_in_refused',
  'disconnected_by_app',
  'revocation_made',
  'key_changed',
  'records_lost',
  ...administrationTypes,
] as const;

export type AuditType = (typeof auditTypes)[number];

/** What happened, in the names of the log. */
export interface AuditEvent {
  readonly type: AuditType;
  /** The id of the app; empty if it concerns the broker. */
  readonly app: string;
  readonly user_id?: string | undefined;
  readonly channel?: string | undefined;
  readonly socket_id?: string | undefined;
  readonly grant_id?: string | undefined;
  /** The key that signed. */
  readonly key?: string | undefined;
  /** The whole address of the client; the log holds a part of it, unless it is configured to hold all. */
  readonly address?: string | undefined;
  /** Who did it, if the app or its operator did. */
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
  readonly code?: string | undefined;
}

/** An event that is not in the log yet. */
export interface Entry {
  /** Unix milliseconds. */
  readonly at: number;
  readonly event: AuditEvent;
}

/** A record as it is in the log. */
export interface AuditRecord extends AuditEvent {
  /** Counts the records of a node from 1. */
  readonly seq: number;
  readonly at_ms: number;
  readonly node: string;
  /** The hash of the record before. */
  readonly prev: string;
  readonly hash: string;
}

/** The last record of a chain. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** The head of a chain without records. */
export const NO_RECORDS: Head = { seq: 0, hash: '0'.repeat(64) };

/** Texts that JSON writes as they are. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
/** Characters of a reason that a record holds. */
const MAX_REASON = 200;
/** The same of a channel: the longest name that a channel can have is whole. */
const MAX_CHANNEL = 1000;

/** What the records of one node have in common. */
export interface ChainOptions {
  readonly node: string;
  readonly fullAddresses: boolean;
}

/** Records in their canonical form (keys sorted, no spaces), one a line, and the head of the chain after them. */
export interface Sealed {
  readonly lines: readonly string[];
  readonly head: Head;
}

/** Continues a chain. */
export function seal(options: ChainOptions, head: Head, entries: readonly Entry[]): Sealed {
  let { seq, hash: prev } = head;
  const lines = entries.map(({ at, event }) => {
    seq += 1;
    const { channel, reason, address } = event;
    const isLong = (channel?.length ?? 0) > MAX_CHANNEL || (reason?.length ?? 0) > MAX_REASON;
    const cut = isLong
      ? { ...event, channel: channel?.slice(0, MAX_CHANNEL), reason: reason?.slice(0, MAX_REASON) }
      : event;
    const shown = address && !options.fullAddresses ? cutAddress(address) : address;
    const written = write(cut, shown || undefined, at, options.node, prev, seq);
    prev = written.hash;
    return written.line;
  });
  return { lines, head: { seq, hash: prev } };
}

/** What is wrong with a line that should follow a head; `undefined` if it follows. */
export function faultOf(line: string, head: Head | undefined): string | undefined {
  const record = readRecord(line);
  if (!record) return 'it is no record';
  const { hash: own, address, at_ms: at, node, prev, seq } = record;
  const expected = write(record, address, at, node, prev, seq);
  if (expected.line !== line) {
    const hasOtherHash = expected.line.replace(expected.hash, String(own)) === line;
    return hasOtherHash ? 'its hash is not that of its content' : 'it is not in its canonical form';
  }
  if (head && record.seq !== head.seq + 1)
    return `it is record ${record.seq}, and record ${head.seq + 1} is missing`;
  if (head && record.prev !== head.hash)
    return 'it does not follow the record before: its prev is another hash';
  return undefined;
}

/** @returns `undefined` for a line that is no record */
export function readRecord(line: string): AuditRecord | undefined {
  try {
    const record: unknown = JSON.parse(line);
    const isRecord =
      typeof record === 'object' &&
      record !== null &&
      'seq' in record &&
      Number.isSafeInteger(record.seq) &&
      'at_ms' in record &&
      'prev' in record &&
      typeof record.prev === 'string' &&
      'hash' in record &&
      typeof record.hash === 'string';
    return isRecord ? (record as AuditRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** Text by text, because JSON.stringify with a list of names takes several times as long. */
function write(
  {
    actor,
    app,
    channel,
    code,
    grant_id: grantId,
    key,
    reason,
    socket_id: socketId,
    type,
    user_id: userId,
  }: AuditEvent,
  address: string | undefined,
  at: number,
  node: string,
  prev: string,
  seq: number,
): { readonly line: string; readonly hash: string } {
  const before =
    member('actor', actor) +
    member('address', address) +
    `"app":${quoted(app)},"at_ms":${at}` +
    (channel === undefined ? '' : `,"channel":${quoted(channel)}`) +
    (code === undefined ? '' : `,"code":${quoted(code)}`) +
    (grantId === undefined ? '' : `,"grant_id":${quoted(grantId)}`);
  const after =
    member('key', key) +
    `"node":${quoted(node)},"prev":${quoted(prev)},` +
    member('reason', reason) +
    `"seq":${seq},` +
    member('socket_id', socketId) +
    `"type":${quoted(type)}` +
    (userId === undefined ? '' : `,"user_id":${quoted(userId)}`);
  const own = hash('sha256', `${prev}{${before},${after}}`, 'hex');
  return { line: `{${before},"hash":"${own}",${after}}`, hash: own };
}

function member(name: string, value: string | undefined): string {
  return value === undefined ? '' : `"${name}":${quoted(value)},`;
}

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** The network of an address: /24 of IPv4, /48 of IPv6. */
export function cutAddress(address: string): string {
  const plain = address.includes(':')
    ? address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
    : address;
  if (!plain.includes(':') && isIP(plain) === 4) return `${plain.slice(0, plain.lastIndexOf('.'))}.0/24`;
  if (isIP(plain) !== 6) return '';
  const [left = '', right = ''] = plain.split('::');
  const groups = left.split(':').filter(Boolean);
  const isShortened = plain.includes('::');
  const missing = isShortened ? 8 - groups.length - right.split(':').filter(Boolean).length : 0;
  const all = [...groups, ...Array.from({ length: missing }, () => '0'), ...right.split(':').filter(Boolean)];
  const network = all.slice(0, 3).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':').replace(/(^|:)0(:0)*$/, '')}::/48`;
}
