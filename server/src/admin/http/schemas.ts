/** What requests and answers of the admin API look like. What can be set of an app is the configuration's own schema. */
import { z } from 'zod';
import { appSchema } from '../../apps/app.ts';
import { webhookSchema } from '../../apps/hook.ts';
import { keyStates } from '../../apps/keys/app-key.ts';
import { adminRoles, tokenApps, tokenName } from '../../config/admin.ts';
import { units } from '../../usage/period.ts';
import { usageFields } from '../../usage/usage-view.ts';
import { pageQuery } from './pages.ts';

const { id: appId, keys: keyList, webhooks: _webhooks, ...appSettings } = appSchema.unwrap().shape;
const { key: keyName, secret: keySecret, scopes: keyScopes } = keyList.unwrap().element.unwrap().shape;
const {
  id: hookId,
  secret: hookSecretText,
  secrets: _secrets,
  ...hookSettings
} = webhookSchema.unwrap().shape;

/** Most of what an app can have of each. */
export const MAX_KEYS = 100;
export const MAX_HOOKS = 100;

const time = z.int().min(0);
const end = time.nullable();

/** What PATCH of an app can set. */
export const settingsSchema = z.strictObject(appSettings);
export const hookSettingsSchema = z.strictObject(hookSettings);

const newKey = {
  client: z.boolean().optional().describe('true: without a secret, so that it only names the app'),
  scopes: keyScopes.nullable().describe('null: everything'),
  expires_at: end.optional(),
};

const keyInput = z.strictObject({
  key: keyName.optional(),
  secret: keySecret,
  ...newKey,
});

export const hookInput = z.strictObject({
  id: hookId,
  ...hookSettings,
  secret: hookSecretText.nullable().describe('null: the keys of the app sign'),
});

export const appInputSchema = z.strictObject({
  id: appId.optional(),
  ...appSettings,
  keys: z.array(keyInput).min(1).max(MAX_KEYS).optional(),
  webhooks: z.array(hookInput).max(MAX_HOOKS).optional(),
});

export const newKeyInput = z.strictObject(newKey);

export const keyPatch = z.strictObject({
  state: z.enum(keyStates).optional(),
  scopes: newKey.scopes,
  expires_at: end.optional(),
});

export const tokenInput = z.strictObject({
  name: tokenName,
  role: z.enum(adminRoles),
  apps: tokenApps.optional(),
  expires_at: end.optional(),
});

/** A merge patch: each setting, at whatever depth, may also be null, which means its default. */
export const patchSchema = (settings: z.ZodObject) => z.looseObject(patchShape(settings));

function patchShape(settings: z.ZodObject): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(settings.shape).map(([name, schema]) => [name, patchOf(schema as z.ZodType).nullish()]),
  );
}

/** Lists are replaced as a whole. */
function patchOf(schema: z.ZodType): z.ZodType {
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodObject) return z.strictObject(patchShape(inner));
  if (inner instanceof z.ZodRecord) {
    const { keyType, valueType } = inner;
    return z.record(keyType as z.ZodRecord['keyType'], (valueType as z.ZodType).nullable());
  }
  return schema;
}

function unwrapped(schema: z.ZodType): z.ZodType {
  const isWrapper =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodReadonly;
  return isWrapper ? unwrapped(schema.def.innerType as z.ZodType) : schema;
}

const managedBy = z.enum(['file', 'api', 'env']);

export const keyAnswer = z.object({
  key: z.string(),
  state: z.enum(keyStates),
  client: z.literal(true).optional().describe('It has no secret'),
  scopes: z.array(z.string()).optional().describe('Left out: everything'),
  expires_at: end,
  created_at: end,
  last_used_at: end,
});
export const newKeyAnswer = keyAnswer.extend({ secret: z.string().optional() });

const hookSecretAnswer = z.object({ id: z.string(), created_at: end, ends_at: end });
export const hookAnswer = z.object({
  id: z.string(),
  ...hookSettings,
  secrets: z.array(hookSecretAnswer),
  created_at: end,
});
export const newHookAnswer = hookAnswer.extend({ secret: z.string().optional() });
export const hookSecretMade = z.object({
  id: z.string(),
  secret: z.string(),
  created_at: time,
  retiring: z.array(z.object({ id: z.string(), ends_at: end })),
});

export const appAnswer = z.object({
  id: z.string(),
  ...appSettings,
  keys: z.array(keyAnswer.extend({ secret: z.string().optional() })),
  webhooks: z.array(newHookAnswer),
  managed_by: managedBy,
  created_at: end,
  updated_at: end,
  etag: z.string(),
});

export const deletionAnswer = z.object({
  dry_run: z.literal(true),
  connections: z.int(),
  channels: z.int(),
  keys: z.int(),
  webhooks: z.int(),
  deliveries_pending: z.int(),
  history_bytes: z.int(),
});

/** Apps that one request may name. */
const MAX_NAMED = 100;

/** The ids of several apps in one parameter. */
export const idList = z
  .string()
  .refine(
    (text) => idsOf(text).length <= MAX_NAMED,
    `expected up to ${MAX_NAMED} ids with commas between them`,
  );

export function idsOf(text: string): readonly string[] {
  return [...new Set(text.split(',').filter((id) => id !== ''))];
}

/** What happens in one of many apps now. */
export const liveStatsAnswer = z.object({
  id: z.string(),
  connections: z.int(),
  messages_per_second: z.number(),
  deliveries_per_second: z.number(),
});

const nearness = z.object({ limit: z.number().nullable(), used: z.number(), ratio: z.number().nullable() });
export const statsAnswer = z.object({
  connections: z.int(),
  channels: z.int(),
  members: z.int(),
  messages_per_second: z.number(),
  deliveries_per_second: z.number(),
  limits: z.object({
    connections: nearness,
    messagesPerDay: nearness,
    connectionMinutesPerMonth: nearness,
    httpRequestsPerSecond: nearness,
  }),
});

export const tokenAnswer = z.object({
  name: z.string(),
  role: z.enum(adminRoles),
  apps: z.array(z.string()).optional(),
  managed_by: managedBy,
  expires_at: end,
  created_at: end,
  last_used_at: end,
});
export const newTokenAnswer = tokenAnswer.extend({ token: z.string() });

export const nodeAnswer = z.object({
  id: z.string(),
  version: z.string(),
  since: time,
  connections: z.int(),
  load: z.number(),
  state: z.enum(['ready', 'draining', 'lost']),
  self: z.boolean(),
});

export const entryAnswer = z.object({
  id: z.string(),
  at: time,
  type: z.string(),
  actor: z.string(),
  app: z.string().optional(),
  target: z.string().optional(),
  changes: z.array(z.object({ path: z.string(), from: z.unknown(), to: z.unknown() })).optional(),
  address: z.string(),
  request_id: z.string(),
});

const usageNumbers = Object.fromEntries(usageFields.map((name) => [name, z.number()]));

export const usageTotalsAnswer = z.object({
  periods: z
    .array(z.object({ from: z.string(), ...usageNumbers, complete: z.boolean() }))
    .describe('The sums of all apps, by period; peaks are the sums of the peaks of the apps'),
  apps: z
    .array(z.object({ app: z.string(), ...usageNumbers }))
    .describe('The apps that used most, over all periods'),
});

export const usageAnswer = z.object({
  app: z.string(),
  from: z.string().describe('The start of the period, in ISO 8601'),
  unit: z.enum(units),
  ...usageNumbers,
  complete: z.boolean().describe('The period is over, and nothing of it is known to be missing'),
});

/** A page of a list. */
export const listOf = (name: string, item: z.ZodType) =>
  z.object({ [name]: z.array(item), cursor: z.string().optional() });

export const pageParameters = z.strictObject(pageQuery);
