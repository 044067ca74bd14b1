/** The version of this package, shown in logs and metrics. */
export const VERSION = '0.1.0';
