/** The two apps of a broker whose fairness is measured, and where it listens. */

export const HOST = '127.0.0.1';
export const LOUD = { id: 'loud', key: 'loud-key', secret: 'loud-3b81f0c2d94e47a6' };
export const QUIET = { id: 'quiet', key: 'quiet-key', secret: 'quiet-90c4ae5571fb4d02' };

/** As the configuration has them. Nothing is said of limits, so the usual ones hold. */
export const APPS = [LOUD, QUIET].map(({ id, ...key }) => ({ id, keys: [key] }));
