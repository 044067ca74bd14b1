import { Database } from '../../server/dist/data/database.js';

const [, , folder] = process.argv;
globalThis.held = new Database(folder);
process.send('held');
process.on('disconnect', () => process.exit());
