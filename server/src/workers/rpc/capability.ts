/** A capability is an object whose methods another process may call: their names, arguments and answers. */
type Method = (...args: never[]) => unknown;
/** The names of the methods of a capability. */
export type MethodOf<Capability> = {
  [Name in keyof Capability]: Capability[Name] extends Method ? Name : never;
}[keyof Capability] &
  string;
export type ArgumentsOf<Capability, Name extends keyof Capability> = Capability[Name] extends (
  ...args: infer Args
) => unknown
  ? Args
  : never;
export type AnswerOf<Capability, Name extends keyof Capability> = Capability[Name] extends (
  ...args: never[]
) => infer Answer
  ? Awaited<Answer>
  : never;

/** A capability of which some methods are replaced. */
export function override<Capability extends object>(
  capability: Capability,
  replacements: Partial<Capability>,
): Capability {
  const methods = new Map<PropertyKey, unknown>(Object.entries(replacements));
  return new Proxy(capability, {
    get(target, name) {
      if (!methods.has(name)) {
        const member: unknown = Reflect.get(target, name, target);
        methods.set(name, typeof member === 'function' ? member.bind(target) : member);
      }
      return methods.get(name);
    },
  });
}
