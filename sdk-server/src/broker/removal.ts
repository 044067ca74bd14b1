import { checkMemberId, checkSocketId, quoted } from '../checks.ts';
import { ArgumentError } from '../errors.ts';
import { isRecord } from '../json.ts';

/** Options of `terminateUserConnections` and `removeSubscription`. */
export interface Expulsion {
  /** Text for the user: 1 to 500 characters; official clients receive the first 123 bytes. */
  readonly reason?: string | undefined;
  /** Seconds for which the user cannot come back: 1 to 31_536_000. */
  readonly block?: number | undefined;
}

/** Selects the subscriptions to end: those of a user, or of one connection. */
export type Removal =
  | (Expulsion & { readonly userId: string; readonly socketId?: undefined })
  | {
      readonly socketId: string;
      readonly userId?: undefined;
      readonly reason?: string | undefined;
      /** Only users can be blocked: it needs `userId`. */
      readonly block?: undefined;
    };

const REASON_LENGTH = 500;
const YEAR_SECONDS = 31_536_000;

/** Builds the body of `terminate_connections`. @throws ArgumentError `invalid_request` */
export function expulsionBody(params: Expulsion): object {
  checkFields(params, ['reason', 'block']);
  const { reason, block } = params;
  const isReason = typeof reason === 'string' && reason.length >= 1 && reason.length <= REASON_LENGTH;
  if (reason !== undefined && !isReason) {
    throw invalid(`reason must be a string of 1 to ${REASON_LENGTH} characters`);
  }
  const isBlock = Number.isSafeInteger(block) && Number(block) >= 1 && Number(block) <= YEAR_SECONDS;
  if (block !== undefined && !isBlock) throw invalid(`block must be 1 to ${YEAR_SECONDS} seconds`);
  return { reason, block };
}

/** Builds the body of `subscriptions/remove`. @throws ArgumentError `invalid_user`, `invalid_socket_id`, `invalid_request` */
export function removalBody(params: Removal): object {
  checkFields(params, ['userId', 'socketId', 'reason', 'block']);
  const { userId, socketId, reason, block } = params;
  const how = expulsionBody({ reason, block });
  if (socketId === undefined) return { user_id: String(checkMemberId(userId)), ...how };
  if (userId !== undefined) throw invalid('Give either userId or socketId');
  if (block !== undefined) throw invalid('Only users can be blocked: block needs userId');
  return { socket_id: checkSocketId(socketId), ...how };
}

/** Refuses unknown fields: a misspelled one would silently change the effect. */
function checkFields(params: unknown, known: readonly string[]): void {
  if (!isRecord(params)) throw invalid('The argument must be an object');
  const unknown = Object.keys(params).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalid(`Unknown field ${quoted(unknown)}; known are ${known.join(', ')}`);
}

function invalid(message: string): ArgumentError {
  return new ArgumentError('invalid_request', message);
}
