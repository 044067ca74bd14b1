/// <reference types="node" preserve="true" />
export type { Adapter } from './adapter/adapter.ts';
export { MemoryAdapter } from './adapter/memory/adapter.ts';
export type { AppConfig, AppInput } from './apps/app.ts';
export type { Broker, BrokerParts } from './broker.ts';
export type { Config, ConfigInput } from './config/config.ts';
export { ConfigError } from './config/error.ts';
export { loadConfig, parseConfig } from './config/load.ts';
export { createServer } from './server.ts';
