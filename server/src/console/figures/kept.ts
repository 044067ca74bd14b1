/** What is kept of each step, in this order: how many there were at most, then how many there were in a second. */
export const KEPT = [
  'connections',
  'channels',
  'subscriptions',
  'messagesIn',
  'messagesOut',
  'publishes',
  'refusals',
] as const;

/** How many of {@link KEPT} are states; the others are counts. */
export const STATES = 3;

export type KeptName = (typeof KEPT)[number];
