/** The version of this package; the broker shows it in logs and metrics. */
export const VERSION = '0.1.0';
