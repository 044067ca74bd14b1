export type { Adapter } from './adapter/adapter.ts';
export { MemoryAdapter } from './adapter/memory.ts';
export { type Config, loadConfig, parseConfig } from './config.ts';
export { type Broker, type BrokerParts, createServer } from './server.ts';
