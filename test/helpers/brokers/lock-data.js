import { Database } from '#server/data/database';

const [, , folder] = process.argv;
globalThis.held = new Database(folder);
process.send('held');
process.on('disconnect', () => process.exit());
