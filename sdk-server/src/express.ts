export type { Logger } from './answer.ts';
export { type AuthRouterOptions, type AuthUser, authRouter } from './auth-router.ts';
export { type WebhookRouterOptions, webhookRouter } from './webhook-router.ts';
