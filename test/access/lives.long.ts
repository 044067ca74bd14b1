/** A page of stock pusher-js lives a hundred times as long as what lets it in. */
import { test } from 'vitest';
import { livesOf } from './lives.ts';

/** Each grant is replaced at half of its life. */
const GRANTS = 200;

test(
  'a page of pusher-js is connected and subscribed for a hundred lives, without a reconnect',
  {
    timeout: 430_000,
  },
  () => livesOf({ pages: 1, grants: GRANTS, withinMs: 400_000 }),
);
