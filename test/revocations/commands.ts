/** What may happen on three nodes, in any order. */
import fc from 'fast-check';

export const USERS = ['ann', 'ann', 'bob', 'bob', 'cal', 'cal'] as const;
export const NODES = 3;
export const KINDS = 2;

export type Aim = 'user' | 'grant' | 'socket' | 'channel' | 'prefix' | 'key';
export type Command =
  | {
      readonly do: 'subscribe';
      readonly who: number;
      readonly kind: number;
      readonly isDated: boolean;
      readonly isShort: boolean;
    }
  | { readonly do: 'reconnect'; readonly who: number; readonly node: number }
  | { readonly do: 'publish'; readonly kind: number; readonly node: number }
  | {
      readonly do: 'revoke';
      readonly aim: Aim;
      readonly action: 'end' | 'disconnect' | 'reconnect';
      readonly who: number;
      readonly kind: number;
      readonly node: number;
      readonly blocks: boolean;
      readonly excepts: boolean;
    }
  | { readonly do: 'lift' | 'pause' | 'die'; readonly node: number }
  | { readonly do: 'changeKey'; readonly state: 'accepted' | 'revoked' };

const who = fc.nat(USERS.length - 1);
const kind = fc.nat(KINDS - 1);
const node = fc.nat(NODES - 1);
const rarely = fc.oneof(
  { weight: 4, arbitrary: fc.constant(false) },
  { weight: 1, arbitrary: fc.constant(true) },
);
const among = <Value>(weights: readonly (readonly [Value, number])[]) =>
  fc.oneof(...weights.map(([value, weight]) => ({ weight, arbitrary: fc.constant(value) })));
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('subscribe'),
      who,
      kind,
      isDated: fc.boolean(),
      isShort: rarely,
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('reconnect'), who, node }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('publish'), kind, node }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('revoke'),
      aim: among<Aim>([
        ['user', 5],
        ['grant', 4],
        ['socket', 2],
        ['channel', 1],
        ['prefix', 1],
        ['key', 1],
      ]),
      action: among<'end' | 'disconnect' | 'reconnect'>([
        ['end', 4],
        ['disconnect', 2],
        ['reconnect', 1],
      ]),
      who,
      kind,
      node,
      blocks: rarely,
      excepts: rarely,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lift'), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause'), node }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('changeKey'),
      state: among<'accepted' | 'revoked'>([
        ['accepted', 2],
        ['revoked', 1],
      ]),
    }),
  },
);
/** A death costs as much time as all else, so few schedules have one. */
export const schedule = fc
  .tuple(
    fc.array(command, { minLength: 20, maxLength: 40 }),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.tuple(fc.nat(40), node) },
    ),
  )
  .map(([commands, death]) => {
    if (!death) return commands;
    const [place, dying] = death;
    return commands.toSpliced(place, 0, { do: 'die', node: dying });
  });
