/** The version of this package, told to the broker. */
export const VERSION = '0.1.0';
