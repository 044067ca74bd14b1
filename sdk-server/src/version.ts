/** The version of this package, which the broker's logs and metrics show. */
export const version = '0.1.0';
