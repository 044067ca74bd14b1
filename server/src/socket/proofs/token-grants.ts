import type { Grant } from '../../access/grant.ts';
import type { Action, Token } from '../../access/token.ts';
import { isMatch } from '../../apps/channel-pattern.ts';
import { SubscriptionRefusal } from '../../errors.ts';
import type { Channel } from '../../protocol/channel.ts';
import type { Member } from '../../protocol/frames.ts';

/**
 * The grant that a token gives its connection in a channel.
 *
 * @throws SubscriptionRefusal if it gives none
 */
export function grantByToken(channel: Channel, token: Token): Grant {
  if (channel.kind === 'encrypted')
    throw missing('A token opens no encrypted channel, because its key comes from the backend');
  const actions = actionsIn(channel, token);
  if (!actions.has('subscribe')) throw missing('The token does not name the channel, and nothing is signed');
  const { userId, issuedAt, expiresAt } = token;
  return {
    key: undefined,
    member: channel.kind === 'presence' ? memberOf(token) : undefined,
    claims: {
      id: undefined,
      issuedAt,
      expiresAt,
      userId,
      mayPublish: actions.has('publish'),
      once: false,
      rate: undefined,
      previousSocketId: undefined,
    },
    token,
  };
}

function missing(why: string): SubscriptionRefusal {
  return new SubscriptionRefusal('AuthError', 401, 'missing_auth', why);
}

/** Everything that the patterns that match the channel allow. */
function actionsIn(channel: Channel, { channels }: Token): ReadonlySet<Action> {
  const matching = [...channels].filter(([pattern]) => isMatch(pattern, channel.name));
  return new Set(matching.flatMap(([, actions]) => actions));
}

function memberOf({ userId, userInfo }: Token): Member {
  return userInfo === undefined ? { userId } : { userId, userInfo };
}
