import { suppression } from '../log/log-limit.ts';
import type { AppSeries } from './app-series.ts';
import { type MetricsRegistry, only } from './registry.ts';
import type { MetricsSources } from './sources.ts';

/** Registers the metrics of refusals, grants, tokens and the audit log. */
export function registerTrustMetrics(page: MetricsRegistry, sources: MetricsSources, apps: AppSeries): void {
  page.counter('refusals_total', 'Messages and subscriptions refused', ['app', 'reason'], () =>
    apps.eachBy('reason', (app) => app.refusals),
  );
  page.counter('rate_limit_hits_total', 'Messages and requests over a rate limit', ['app'], () =>
    apps.each((app) => app.rateLimitHits),
  );
  page.counter('refused_handshakes_total', 'Connections refused, by close code', ['code'], () =>
    [...sources.metrics.refusedHandshakes].map(([code, count]) => [{ code }, count] as const),
  );
  page.counter('bounds_reached_total', 'How often a bound of the broker was reached', ['bound'], () =>
    [...sources.metrics.bounds].map(([bound, count]) => [{ bound }, count] as const),
  );
  page.counter('log_lines_suppressed_total', 'Lines that the log was spared', [], () =>
    only(suppression.lines),
  );
  page.counter('message_gaps_total', 'Channels of which messages were missed for good', [], () =>
    only(sources.metrics.gaps),
  );
  page.counter('usage_pushes_total', 'Requests that push usage, by what became of them', ['outcome'], () =>
    [...sources.metrics.usagePushes].map(([outcome, count]) => [{ outcome }, count] as const),
  );
  page.counter(
    'renewal_requests_total',
    'Requests to backends to renew grants, by what became of them',
    ['app', 'outcome'],
    () => apps.eachBy('outcome', (app) => app.renewalRequests),
  );
  page.counter(
    'renewals_total',
    'Grants and sign-ins that backends were asked to renew, by result',
    ['app', 'result'],
    () => apps.eachBy('result', (app) => app.renewals),
  );
  page.counter(
    'token_key_requests_total',
    'Requests for the keys of issuers of tokens, by what became of them',
    ['app', 'outcome'],
    () => apps.eachBy('outcome', (app) => app.tokenKeyRequests),
  );
  const { metrics } = sources;
  page.counter('audit_records_total', 'Audit records that were written', [], () =>
    only(metrics.auditRecords),
  );
  page.counter('audit_records_lost_total', 'Audit records that could not be written', [], () =>
    only(metrics.auditRecordsLost),
  );
}
