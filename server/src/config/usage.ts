/** What is done with usage beside keeping it. */
import { z } from 'zod';
import { isCallable, webhookSecretSchema } from '../apps/hook.ts';

/** The periods of usage. */
export const units = ['minute', 'hour', 'day', 'month'] as const;

export const usageSchema = z
  .strictObject({
    /** Where rows of usage are posted as CloudEvents, once their period is over. */
    push: z
      .strictObject({
        /** The URL that receives them by POST. */
        url: z
          .string()
          .refine(isCallable, 'expected an http or https URL without a user name and a fragment'),
        /** Signs each request as that of a webhook. */
        secret: webhookSecretSchema,
        /** Bearer token that is sent along. */
        token: z
          .string()
          .refine((token) => /^[\x21-\x7e]{8,4096}$/.test(token), 'expected 8 to 4096 of printable ASCII')
          .optional(),
        /** The periods of the rows. @default "hour" */
        unit: z.enum(units).default('hour'),
      })
      .readonly()
      .optional(),
  })
  .readonly();

export type UsagePushSettings = NonNullable<z.infer<typeof usageSchema>['push']>;
