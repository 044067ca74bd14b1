/** Who asks. */
export interface Caller {
  readonly authorization?: string | undefined;
  /** The ticket of a browser's session, in place of a token. */
  readonly session?: string | undefined;
  readonly address: string;
}

/** A request of the admin API, as it goes to the process that has the app store. */
export interface AdminRequest extends Caller {
  readonly method: string;
  /** Below `/admin/v1`. */
  readonly path: string;
  readonly rawQuery: string;
  readonly contentType: string | undefined;
  readonly ifMatch: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly requestId: string;
  readonly body: Uint8Array;
  /** Where an answer goes on that is sent in parts. */
  readonly resume?: string | undefined;
}

export interface AdminAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** A part of a long answer in place of `body`. */
  readonly part?: AnswerPart;
  /** The ticket with which the session of the caller goes on. */
  readonly session?: string;
}

/** A part of an answer that is too long for one piece. */
export interface AnswerPart {
  readonly text: string;
  /** Asks for the next part; `undefined`: it is the last one. */
  readonly resume: string | undefined;
}
