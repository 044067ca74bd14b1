/** How the admin API refuses: problem+json of RFC 9457 with a stable code. */
import { type ErrorCode, errorCodes } from '../../error-codes.ts';
import { DOCUMENTATION } from '../../http/error-body.ts';

/** The codes of the admin API, with their status. */
export const problems = {
  invalid_request: 400,
  admin_token_missing: 401,
  admin_token_invalid: 401,
  admin_token_expired: 401,
  console_sign_in_required: 401,
  identity_refused: 403,
  role_missing: 403,
  tls_required: 403,
  not_found: 404,
  app_not_found: 404,
  key_not_found: 404,
  webhook_not_found: 404,
  token_not_found: 404,
  node_not_found: 404,
  method_not_allowed: 405,
  app_exists: 409,
  key_exists: 409,
  token_exists: 409,
  webhook_exists: 409,
  managed_by_file: 409,
  no_store: 409,
  key_revoked: 409,
  last_key: 409,
  secret_limit: 409,
  limit_reached: 409,
  etag_mismatch: 412,
  body_too_large: 413,
  unsupported_media_type: 415,
  idempotency_mismatch: 422,
  too_many_refused: 429,
  too_many_requests: 429,
  internal_error: 500,
  unavailable: 503,
} as const satisfies Partial<Readonly<Record<ErrorCode, number>>>;

export type ProblemCode = keyof typeof problems;

/** What is wrong with one field of a request. */
export interface FieldError {
  /** The field, such as `limits.connections`; the parameter or header for what stands in none. */
  readonly path: string;
  /** What came; left out if it may be a secret, or nothing came. */
  readonly got?: unknown;
  readonly expected: string;
}

/** The admin API refuses a request. */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(
    readonly code: ProblemCode,
    detail: string,
    readonly more: {
      readonly errors?: readonly FieldError[];
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(detail);
  }

  get status(): number {
    return problems[this.code];
  }

  get body(): object {
    const { code, status, message: detail } = this;
    const { errors } = this.more;
    return {
      type: DOCUMENTATION + code,
      title: errorCodes[code],
      status,
      detail,
      code,
      ...(errors && { errors }),
    };
  }
}

/** Refuses one field. */
export function invalid(path: string, expected: string, got?: unknown): Problem {
  const error = { path, ...(got !== undefined && { got }), expected };
  return new Problem('invalid_request', `"${path}": expected ${expected}`, { errors: [error] });
}

/** @param methods that the path takes */
export function methodNotAllowed(methods: readonly string[]): Problem {
  const allowed = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
  return new Problem('method_not_allowed', `This path takes ${allowed}`, { headers: { Allow: allowed } });
}

/** Refuses a parameter of the query. */
export function noSuchParameter(name: string): Problem {
  return invalid(name.slice(0, 100), 'no such parameter');
}
