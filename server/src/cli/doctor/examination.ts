/** What `countersign doctor` looks at, and what it finds. */

/** In the order in which they are examined. */
export const stepNames = [
  'dns',
  'tls',
  'ready',
  'upgrade',
  'path_prefix',
  'idle',
  'origin',
  'clock',
  'signed_request',
  'subscribe',
  'echo',
  'fallbacks',
  'auth_preflight',
  'auth_cors',
  'auth_cookies',
  'auth_status',
  'auth_body',
  'auth_signature',
] as const;

export type StepName = (typeof stepNames)[number];

export interface Finding {
  readonly status: 'ok' | 'wrong' | 'skipped';
  readonly detail: string;
  /** What to do, with the page that says more. */
  readonly cure?: string;
}

export interface Target {
  /** Of the broker, with its path prefix. */
  readonly url: URL;
  readonly app: string | undefined;
  readonly key: string | undefined;
  readonly secret: string | undefined;
  /** Of the page that is to connect. */
  readonly origin: string | undefined;
  /** Seconds for which a connection is to be silent. */
  readonly idleSeconds: number | undefined;
  readonly authEndpoint: URL | undefined;
  readonly cookie: string | undefined;
}

/** Looks at one thing. A step that another one makes pointless is not made. */
export interface Step {
  readonly name: StepName;
  /** Steps that must not be wrong. */
  readonly needs: readonly StepName[];
  examine(target: Target): Promise<Finding>;
}

export const ok = (detail: string): Finding => ({ status: 'ok', detail });
export const skipped = (detail: string): Finding => ({ status: 'skipped', detail });

/** @param page under docs/, with the heading */
export function wrong(detail: string, cure: string, page: string): Finding {
  return { status: 'wrong', detail, cure: `${cure}: see docs/${page}` };
}

/** Milliseconds that one answer may take. */
export const ANSWER_MS = 10_000;

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}

/** An address below the path prefix of the broker. */
export function below({ url }: Target, path: string): URL {
  const target = new URL(url);
  target.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`;
  return target;
}
