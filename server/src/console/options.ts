/** Options of a console. */
export interface ConsoleOptions {
  /** Shows the first app without a sign-in. Only on loopback. @default false */
  readonly open?: boolean;
}
