import type { AnswerOf, ArgumentsOf, MethodOf } from './capability.ts';
import type { Rpc } from './rpc.ts';

/** A capability of another process: each of its methods answers with a promise. */
export type Remote<Capability> = {
  readonly [Name in MethodOf<Capability>]: (
    ...args: ArgumentsOf<Capability, Name>
  ) => Promise<AnswerOf<Capability, Name>>;
};

/** A capability of the other end, as if it were in this process. */
export function remote<Far extends object, On extends keyof Far & string>(
  rpc: Rpc<Far>,
  on: On,
): Remote<Far[On]> {
  type Name = MethodOf<Far[On]>;
  const methods = new Map<Name, (...args: ArgumentsOf<Far[On], Name>) => unknown>();
  return new Proxy({} as Remote<Far[On]>, {
    get(_, property) {
      // A promise that resolves with this object asks for `then`, which no capability has.
      if (typeof property === 'symbol' || property === 'then') return undefined;
      const name = property as Name;
      let method = methods.get(name);
      if (!method) {
        method = (...args) => rpc.call(on, name, args);
        methods.set(name, method);
      }
      return method;
    },
  });
}
