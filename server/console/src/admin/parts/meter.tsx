import type { FunctionComponent } from 'preact';

/** Above it somebody should look; the webhook `quota_warning` is sent at the same share. */
const WARN = 0.8;

/** How near a limit is, from 0 to 1. */
export const Meter: FunctionComponent<{ ratio: number; label: string }> = ({ ratio, label }) => {
  const kind = ratio >= 1 ? 'bad' : ratio >= WARN ? 'warn' : 'good';
  return (
    <svg class={`meter ${kind}`} viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label={label}>
      <rect class="whole" width="100" height="6" rx="3" />
      <rect width={Math.min(100, ratio * 100)} height="6" rx="3" />
    </svg>
  );
};
