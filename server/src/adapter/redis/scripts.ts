import { loadScript, type Script } from '../../redis/script.ts';

/**
 * The scripts of the adapter. Some consist of one command: they are scripts all the same, because then everything that the
 * adapter asks of Redis times out, fails and follows its key through a cluster in the same way (see `ScriptRunner`). Those
 * that begin with `allow-oom` run even if Redis is out of memory, so that nodes stay alive and leaving frees memory.
 */
export const scripts = {
  join: load('roster/join'),
  leave: load('roster/leave'),
  reap: load('roster/reap'),
  counts: load('roster/counts'),
  snapshot: load('roster/snapshot'),
  seats: load('roster/seats'),
  hasSeats: load('roster/has-seats'),
  noteInIndex: load('roster/index-note'),
  indexPage: load('roster/index-page'),
  publish: load('messages/publish'),
  since: load('messages/since'),
  kept: load('messages/kept'),
  keep: load('messages/keep'),
  forget: load('messages/forget'),
  readHistory: load('history/read'),
  historyPosition: load('history/position'),
  purgeHistory: load('history/purge'),
  countHistories: load('history/keep'),
  shrinkHistory: load('history/shrink'),
  noteLastPosition: load('history/note-last'),
  findLastPosition: load('history/find-last'),
  beginRequests: load('idempotency/begin'),
  endRequest: load('idempotency/end'),
  forgetPublished: load('idempotency/forget'),
  renewLease: load('membership/renew-lease'),
  removeNode: load('membership/remove-node'),
  addHeld: load('membership/add-held'),
  removeHeld: load('membership/remove-held'),
  someHeld: load('membership/some-held'),
  persistence: load('membership/persistence'),
  hit: load('counters/hit'),
  hold: load('counters/hold'),
  release: load('counters/release'),
  setPlaces: load('counters/set-places'),
  spendNonce: load('nonces/spend'),
  releaseNonce: load('nonces/release'),
  keepRevocation: load('revocations/keep'),
  forgetRevocation: load('revocations/forget'),
  appsOfRevocations: load('revocations/apps'),
  revocationPage: load('revocations/page'),
  revocationTime: load('revocations/time'),
  addKeyUses: load('key-uses/add'),
  keyUses: load('key-uses/read'),
  liveNodes: load('membership/live-nodes'),
  confirm: load('membership/confirm'),
  writeApps: load('apps/write'),
  changesOfApps: load('apps/changes'),
  restoreApps: load('apps/restore'),
  forgetKeys: load('apps/forget'),
  keptAnswer: load('apps/answer'),
  adminEntries: load('apps/entries'),
} as const;

function load(name: string): Script {
  return loadScript(new URL(`lua/${name}.lua`, import.meta.url));
}
