import { z } from 'zod';
import { isChannelPattern, isMatch } from './channel-pattern.ts';

const MAX_MESSAGES = 10_000;
/** A week. */
const MAX_SECONDS = 604_800;

export const historyRuleSchema = z
  .strictObject({
    /** Names of channels; `*` stands for any text, also none. Channels of users only if it begins with `#`. */
    channels: z
      .string()
      .max(1000)
      .refine(
        isChannelPattern,
        'expected a channel name in which * stands for any text, such as "private-room-*"',
      ),
    /** Seconds for which an event is kept. */
    seconds: z.int().min(1).max(MAX_SECONDS),
    /** Events that a channel keeps; beyond them the oldest is dropped. */
    messages: z.int().min(1).max(MAX_MESSAGES),
    /** Events that each new subscriber gets. @default 0 */
    rewind: z.int().min(0).default(0),
  })
  .superRefine(({ rewind, messages }, context) => {
    if (rewind <= messages) return;
    context.addIssue({
      code: 'custom',
      path: ['rewind'],
      input: rewind,
      message: `expected at most ${messages}, the messages of the rule`,
    });
  })
  .readonly();

/** What the channels of a pattern keep. */
export type HistoryRule = z.infer<typeof historyRuleSchema>;

/** The first rule whose pattern is the name of a channel. */
export function ruleFor(rules: readonly HistoryRule[], channel: string): HistoryRule | undefined {
  if (rules.length === 0) return undefined;
  return rules.find(({ channels: pattern }) => isMatch(pattern, channel));
}
