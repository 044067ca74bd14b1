/** The entry for Node: versions before 22 have no WebSocket of their own. */
import { WebSocket } from 'ws';
import { bundled } from './platform.ts';

bundled.WebSocket = WebSocket;

export * from './index.ts';
