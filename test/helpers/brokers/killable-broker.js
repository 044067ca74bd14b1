// A broker in a process of its own, which ends itself without warning at the step of a webhook that it is told.
import { createServer, parseConfig } from '@countersign/server';

let fatalStep = '';
const broker = await createServer(parseConfig(JSON.parse(process.argv[2] ?? '{}')), {
  onWebhookStep: (step) => {
    if (step === fatalStep) process.kill(process.pid, 'SIGKILL');
  },
});
process.on('message', (/** @type {string} */ step) => {
  fatalStep = step;
  process.send?.('armed');
});
process.on('SIGTERM', () => void broker.drain().then(() => process.exit(0)));
process.on('disconnect', () => process.exit());
process.send?.({ host: broker.host, port: broker.port, url: broker.url });
