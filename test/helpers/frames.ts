/** What the broker says, written out as it stands on the wire. `data` is a string in all of them but `pusher:error`. */
export const frames = {
  ping: '{"event":"pusher:ping","data":"{}"}',
  pong: '{"event":"pusher:pong","data":"{}"}',

  subscribed: (channel: string) =>
    `{"event":"pusher_internal:subscription_succeeded","channel":"${channel}","data":"{}"}`,

  /** @param members each user with the `user_info`, or its text where that matters, in the order of their joining */
  presence: (channel: string, members: readonly (readonly [id: string, info: object | string | null])[]) => {
    const ids = members.map(([id]) => JSON.stringify(id));
    const hash = members.map(
      ([, info], index) => `${ids[index]}:${typeof info === 'string' ? info : JSON.stringify(info)}`,
    );
    const data = `{"presence":{"count":${ids.length},"ids":[${ids}],"hash":{${hash}}}}`;
    return `{"event":"pusher_internal:subscription_succeeded","channel":"${channel}","data":${JSON.stringify(data)}}`;
  },

  memberAdded: (channel: string, id: string, info?: object) => {
    const rest = info ? `,"user_info":${JSON.stringify(info)}` : '';
    const data = `{"user_id":${JSON.stringify(id)}${rest}}`;
    return `{"event":"pusher_internal:member_added","channel":"${channel}","data":${JSON.stringify(data)}}`;
  },

  memberRemoved: (channel: string, id: string) => {
    const data = `{"user_id":${JSON.stringify(id)}}`;
    return `{"event":"pusher_internal:member_removed","channel":"${channel}","data":${JSON.stringify(data)}}`;
  },

  count: (channel: string, count: number) =>
    `{"event":"pusher_internal:subscription_count","channel":"${channel}","data":"{\\"subscription_count\\":${count}}"}`,

  /** @param states user ids by what became of them */
  watchlist: (states: { readonly online?: readonly string[]; readonly offline?: readonly string[] }) => {
    const events = Object.entries(states).map(([name, ids]) => ({ name, user_ids: ids }));
    return JSON.stringify({ event: 'pusher_internal:watchlist_events', data: JSON.stringify({ events }) });
  },

  terminated: (reason: string, code: string) =>
    JSON.stringify({ event: 'countersign:terminated', data: JSON.stringify({ reason, code }) }),

  cacheMiss: (channel: string) => `{"event":"pusher:cache_miss","channel":"${channel}","data":"{}"}`,

  subscriptionError: (channel: string, type: string, error: string, status: number, code: string) => {
    const data = `{"type":"${type}","error":${JSON.stringify(error)},"status":${status},"code":"${code}"}`;
    return `{"event":"pusher:subscription_error","channel":${JSON.stringify(channel)},"data":${JSON.stringify(data)}}`;
  },

  event: (name: string, channel: string, data: string) =>
    `{"event":${JSON.stringify(name)},"channel":"${channel}","data":${JSON.stringify(data)}}`,

  /** A client event in a presence channel. */
  eventOf: (userId: string, name: string, channel: string, data: string) =>
    `{"event":"${name}","channel":"${channel}","data":${JSON.stringify(data)},"user_id":${JSON.stringify(userId)}}`,

  signedIn: (userData: string) =>
    `{"event":"pusher:signin_success","data":${JSON.stringify(`{"user_data":${JSON.stringify(userData)}}`)}}`,

  error: (code: number | null, message: string, errorCode: string) =>
    `{"event":"pusher:error","data":{"code":${code},"message":${JSON.stringify(message)},"error_code":"${errorCode}"}}`,
} as const;
