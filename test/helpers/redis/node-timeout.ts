/**
 * Seconds after which a node of a test counts as dead. A command of Redis may take 0.15 of it: with less than this a
 * busy machine has nodes refuse subscriptions, and lapse.
 */
export const NODE_TIMEOUT_SECONDS = 6;
