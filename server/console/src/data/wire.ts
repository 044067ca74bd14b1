/** The answers and reports of the broker, in the types of the broker and of the SDK that asks it. */

export type {
  AccessAnswer,
  RevocationAnswer,
  RevocationsAnswer,
  UserAnswer,
  UserConnection,
} from '@countersign/sdk-server';
export type { RecordingView, StepView } from '../../../src/api/endpoints/recordings.ts';
export type { DeliveryView, HookView } from '../../../src/api/endpoints/webhooks.ts';
export type { AuditPage } from '../../../src/audit/query.ts';
export type { AuditRecord, AuditType } from '../../../src/audit/record.ts';
export type { ChannelList, ChannelState } from '../../../src/console/channels.ts';
export type { Diagnosis } from '../../../src/console/diagnosis/diagnosis.ts';
export type { KeyStats } from '../../../src/console/figures/stats.ts';
export type { PastStep } from '../../../src/console/figures/track.ts';
export type { ChannelHistory, KeptEvent } from '../../../src/console/history.ts';
export type { EventLine } from '../../../src/console/live/event-line.ts';
export type {
  ChannelSubscribers,
  ConnectionReport,
  EventLines,
  Figures,
  LiveSubscriber,
  Past,
} from '../../../src/console/live/live-reports.ts';
export type { SessionView } from '../../../src/console/session-view.ts';
export type { HookHealth, LoggedAttempt } from '../../../src/webhooks/health/health.ts';
export type { DeliveryState } from '../../../src/webhooks/outbox/outbox.ts';
