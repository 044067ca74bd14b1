// Stands in for a system manager with a socket unit: it listens, and starts a command on the socket again and again.
import { spawnSync } from 'node:child_process';
import { writeSync } from 'node:fs';
import { createServer } from 'node:net';

const BACKLOG = 4096;
const server = createServer();
server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG }, () => {
  writeSync(1, `${JSON.stringify({ msg: 'socket', port: portOf(server) })}\n`);
  // Its event loop never turns from here on, so it accepts nobody.
  for (;;) {
    const shell = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"';
    const { status } = spawnSync('sh', ['-c', shell, 'sh', ...process.argv.slice(2)], {
      stdio: ['inherit', 'inherit', 'inherit', descriptorOf(server)],
    });
    if (status !== 0) process.exit(1);
  }
});

/** @param {import('node:net').Server} server */
function portOf(server) {
  const address = server.address();
  return typeof address === 'object' && address?.port;
}

/**
 * Node has no public way to ask for it.
 *
 * @param {import('node:net').Server & { readonly _handle?: { readonly fd: number } }} server
 */
function descriptorOf(server) {
  return server._handle?.fd;
}
