// A broker in a process of its own, which tells how much memory it keeps, and of how many connections. Run with
// --expose-gc.
import { queryObjects } from 'node:v8';
import { createServer, parseConfig } from '@countersign/server';
import { Connection } from '#server/socket/connection';

const broker = await createServer(parseConfig(JSON.parse(process.env['FLOOD_CONFIG'] ?? '{}')));

process.on('message', (question) => {
  if (question === 'heap') {
    globalThis.gc?.();
    const connections = queryObjects(Connection, { format: 'count' });
    process.send?.({ heap: process.memoryUsage().heapUsed, connections });
  } else if (question === 'stop') {
    broker.close().then(() => process.disconnect());
  }
});
process.send?.({ url: broker.url });
