import type * as OpenTelemetry from '@opentelemetry/api';
import { VERSION } from '../version.ts';

type Api = typeof OpenTelemetry;
/** What a span says about its work. */
export type Attributes = Readonly<Record<string, string | number>>;

/** Who asks whom: the broker answers a request, or makes one. */
export type SpanKind = 'server' | 'client';

/** One piece of work that is recorded. */
export interface Span {
  /** Names the span as the cause of what follows; `undefined` if the trace is not recorded. */
  readonly traceparent: string | undefined;
  /** Does a part of the work as a child of the span, also for other instrumentation. */
  run<Result>(work: () => Result): Result;
  /** Ends it with what has become known. @param failure why it failed; `undefined`: it did not */
  end(attributes: Attributes, failure?: string): void;
}

/** Records spans with OpenTelemetry. Nothing is recorded for single deliveries. */
export class Tracing {
  readonly #api: Api;
  readonly #tracer: OpenTelemetry.Tracer;

  private constructor(api: Api, tracer: OpenTelemetry.Tracer) {
    this.#api = api;
    this.#tracer = tracer;
  }

  /** @returns `undefined` unless the process has registered a provider of tracers, as a file given to `node --import` does */
  static async find(): Promise<Tracing | undefined> {
    const api = await import('@opentelemetry/api').catch(ignoreMissing);
    const provider = api?.trace.getTracerProvider();
    // Without a provider this stands for one that may come, and its spans would cost although nobody sees them.
    const isMissing = api && provider instanceof api.ProxyTracerProvider && !provider.getDelegateTracer(NAME);
    return api && provider && !isMissing ? new Tracing(api, provider.getTracer(NAME, VERSION)) : undefined;
  }

  /**
   * Begins a span.
   *
   * @param causes the `traceparent` of each thing that it is about: a single trace is continued, several are linked
   */
  begin(name: string, kind: SpanKind, attributes: Attributes, causes: Iterable<string | undefined>): Span {
    const { trace, context, SpanKind: kinds, SpanStatusCode } = this.#api;
    const contexts = [...new Set(causes)].flatMap((cause) => (cause === undefined ? [] : contextOf(cause)));
    const [only] = contexts;
    const active = context.active();
    // Instrumentation of HTTP has begun a span for the request already, with the same cause.
    const isNested = trace.getSpan(active) !== undefined;
    const parent = !isNested && only && contexts.length === 1 ? trace.setSpanContext(active, only) : active;
    const links = contexts.length > 1 ? contexts.map((each) => ({ context: each })) : [];
    const options = { kind: kind === 'server' ? kinds.SERVER : kinds.CLIENT, attributes, links };
    const span = this.#tracer.startSpan(name, options, parent);
    return {
      traceparent: traceparentOf(span.spanContext()),
      run: (work) => context.with(trace.setSpan(active, span), work),
      end(more, failure) {
        span.setAttributes(more);
        if (failure !== undefined) {
          span.setAttribute('error.type', failure);
          span.setStatus({ code: SpanStatusCode.ERROR });
        }
        span.end();
      },
    };
  }
}

const NAME = 'countersign';
const RECORDED = 1;

/** @param traceparent one that was read */
function contextOf(traceparent: string): OpenTelemetry.SpanContext {
  const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}

function traceparentOf({ traceId, spanId, traceFlags }: OpenTelemetry.SpanContext): string | undefined {
  if ((traceFlags & RECORDED) === 0) return undefined;
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** @throws unknown what else went wrong */
function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
  throw error;
}
