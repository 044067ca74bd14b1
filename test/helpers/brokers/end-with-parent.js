// Loaded into a process that a test starts: it ends when the other end of its standard input is gone. That is so
// however the test ended, also where it was killed, or gave up before it knew whom to kill.
import { isMainThread } from 'node:worker_threads';

// A thread ends with its process, and its standard input is not a socket.
if (isMainThread) process.stdin.on('error', end).on('end', end).resume().unref();

function end() {
  process.kill(process.pid, 'SIGKILL');
}
