/** What a process does that `countersign start --workers` has forked. */
import { Socket } from 'node:net';
import { createLog, exitAfterLog } from '../log/log.ts';
import { Worker } from '../workers/worker/worker.ts';
import { RPC_FD } from '../workers/worker-process.ts';
import { Stop } from './stop.ts';

/** The parent tells it the rest. */
export function work(): void {
  // A signal to the whole group of processes is the parent's to act on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});
  const worker = new Worker({
    stream: new Socket({ fd: RPC_FD, readable: true, writable: true }),
    createLog(config, number) {
      const log = createLog(config.log).child({ worker: number });
      // Its parent replaces one that ends.
      new Stop(log).drains(Promise.resolve({ drain: () => worker.drain() }), config.drainTimeoutSeconds);
      return log;
    },
    onEnd: (how) => exitAfterLog(how === 'drained' ? 0 : 1),
  });
}
