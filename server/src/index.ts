export type { Adapter } from './adapter/adapter.ts';
export { MemoryAdapter } from './adapter/memory/adapter.ts';
export type { AppConfig, AppInput } from './apps/app.ts';
export { type Config, type ConfigInput, loadConfig, parseConfig } from './config/config.ts';
export { ConfigError } from './config/error.ts';
export { type Broker, type BrokerParts, createServer } from './server.ts';
