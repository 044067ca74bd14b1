/** A request of the admin API, as it goes to the process that has the app store. */
export interface AdminRequest {
  readonly method: string;
  /** Below `/admin/v1`. */
  readonly path: string;
  readonly rawQuery: string;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly ifMatch: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly address: string;
  readonly requestId: string;
  readonly body: Uint8Array;
}

export interface AdminAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}
