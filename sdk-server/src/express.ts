/// <reference types="node" preserve="true" />
export type { Access, AllowedAccess, GrantTerms } from './auth/access.ts';
export type { AddressLimitOptions } from './auth/address-limit.ts';
export type { Logger } from './auth/answer.ts';
export type { AuthRouterOptions, AuthUser } from './auth/auth-options.ts';
export { authRouter } from './auth/auth-router.ts';
export { type AccessRequest, type AccessRule, hasRole, inGroup, type Policy, policy } from './auth/policy.ts';
export { type WebhookRouterOptions, webhookRouter } from './webhooks/router.ts';
