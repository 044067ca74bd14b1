/** What the generator must be told to talk to a server, beside the options of the scenario (load/README.md). */
export type Dialect = (scenarioOptions: string) => readonly string[];

const isByClients = (options: string) => options.includes('--publish ws');

/** By the names that `--peer` takes. */
export const DIALECTS: Readonly<Record<'pusher' | 'centrifugo' | 'socketio', Dialect>> = {
  pusher: () => [],
  centrifugo: (options) => [
    ...['--path', '/connection/websocket', '--http-path', '/api/publish', '--multi', '1', '--hello', ''],
    ...['--sub', '{"id":1,"connect":{}}\\n{"id":2,"subscribe":{"channel":"%c"}}', '--ack', '"subscribe":{'],
    '--pub',
    // Whoever publishes is a subscriber as well, and gets a copy.
    ...(isByClients(options)
      ? ['{"id":3,"publish":{"channel":"%c","data":{"id":"%m"}}}', '--self', '1']
      : ['{"channel":"%c","data":{"id":"%m"}}']),
  ],
  socketio: (options) => [
    ...['--path', '/socket.io/?EIO=4&transport=websocket', '--http-path', '/publish'],
    ...['--hello', '0{', '--sub', '40{"channel":"%c"}', '--ack', '40{'],
    '--pub',
    isByClients(options) ? '42["client-m","%m"]' : '{"name":"m","channels":["%c"],"data":"%j"}',
  ],
};
