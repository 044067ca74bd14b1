/// <reference types="node" preserve="true" />
export type { Access, AllowedAccess, GrantTerms } from './access.ts';
export type { AddressLimitOptions } from './address-limit.ts';
export type { Logger } from './answer.ts';
export type { AuthRouterOptions, AuthUser } from './auth-options.ts';
export { authRouter } from './auth-router.ts';
export { type AccessRequest, type AccessRule, hasRole, inGroup, type Policy, policy } from './policy.ts';
export { type WebhookRouterOptions, webhookRouter } from './webhook-router.ts';
