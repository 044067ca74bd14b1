/** What the audit log holds of a connection, its grants and its proofs. */
import { parseProof } from '@countersign/sdk-server/signature';
import { type Grant, userOf } from '../../access/grant.ts';
import type { ClaimedProof } from '../../apps/observer.ts';
import type { AuditEvent, AuditType } from '../../audit/record.ts';
import type { ReportedConnection } from './reported-connection.ts';

/** Whether a grant was proven by a signature or a token: that of a public channel was not. */
export function isProven({ key, token }: Grant): boolean {
  return key !== undefined || token !== undefined;
}

export function auditOf(
  type: AuditType,
  { app, socketId, address }: Pick<ReportedConnection, 'app' | 'socketId' | 'address'>,
  parts: Pick<AuditEvent, 'channel' | 'user_id' | 'grant_id' | 'key' | 'reason' | 'code'>,
): AuditEvent {
  return { type, app: app.id, socket_id: socketId, address, ...parts };
}

/** The parts of a grant: its user is the one that it names, or else the signed-in one. */
export function auditOfGrant(
  { userId }: Pick<ReportedConnection, 'userId'>,
  grant: Grant,
): Pick<AuditEvent, 'user_id' | 'grant_id' | 'key'> {
  return { user_id: userOf(grant) ?? userId, grant_id: grant.claims?.id, key: grant.key?.name };
}

/** The key that a proof names, if the app has it: other names are whatever a client sent. */
export function keyIn({ auth }: ClaimedProof, { app }: Pick<ReportedConnection, 'app'>): string | undefined {
  const key = parseProof(auth)?.key;
  return key !== undefined && app.hasKey(key) ? key : undefined;
}
