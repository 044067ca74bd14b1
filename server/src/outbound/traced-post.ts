import type { Attributes, Tracing } from '../tracing/tracing.ts';
import type { Answer, OutboundClient } from './http-client.ts';

/** A request, and how a trace shows it. */
export interface TracedRequest {
  /** Of the span. */
  readonly name: string;
  readonly attributes: Attributes;
  /** The `traceparent` of each thing that the request is about. */
  readonly causes: readonly string[];
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly onSent?: (() => void) | undefined;
}

/** As {@link OutboundClient.post}, within a span if the broker is traced. The receiver is told of the trace, if there is a single one. */
export async function tracedPost(
  client: OutboundClient,
  tracing: Tracing | undefined,
  { name, attributes, causes, url, headers, body, onSent }: TracedRequest,
): Promise<Answer | undefined> {
  const post = (traceparent: string | undefined) =>
    client.post(url, traceparent === undefined ? headers : { ...headers, traceparent }, body, onSent);
  const [only, ...others] = new Set(causes);
  const cause = others.length === 0 ? only : undefined;
  if (!tracing) return post(cause);
  const { host } = new URL(url);
  const http = { 'http.request.method': 'POST', 'server.address': host };
  const span = tracing.begin(name, 'client', { ...http, ...attributes }, causes);
  const answer = await span.run(() => post(span.traceparent ?? cause));
  const status = answer?.status ?? null;
  span.end(
    status === null ? {} : { 'http.response.status_code': status },
    answer?.outcome === 'delivered' ? undefined : (answer?.outcome ?? 'cut_off'),
  );
  return answer;
}
