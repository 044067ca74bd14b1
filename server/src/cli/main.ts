#!/usr/bin/env -S node --max-semi-space-size=4
// The flag above bounds the garbage that a connection leaves behind. It has no effect once a process runs, so it stands here.
import cluster from 'node:cluster';

// A worker loads what it needs, and not the commands.
if (cluster.isWorker) (await import('./work.ts')).work();
else await (await import('./program.ts')).runCommandLine(process.argv.slice(2));
