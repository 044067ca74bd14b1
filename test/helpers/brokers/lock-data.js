// A process that holds the lock of a data directory until its parent is gone.
import { Database } from '#server/data/database';

const [, , folder = ''] = process.argv;
const held = new Database(folder);
process.send?.('held');
process.on('disconnect', () => {
  held.close();
  process.exit();
});
