import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { Store } from '#server/store/store';
import { newFolder } from '../helpers/folder.ts';
import { appRepositoryContract } from './app-repository.contract.ts';

const BOUNDS = { maxPending: 10, maxLogEvents: 10, maxBytes: 1_000_000, maxTotalBytes: 1_000_000 };

async function openStore(directory: string): Promise<Store> {
  const store = await Store.open({
    directory,
    bounds: BOUNDS,
    now: Date.now,
    log: pino({ level: 'silent' }),
  });
  let isClosed = false;
  const close = store.close.bind(store);
  store.close = async () => {
    if (!isClosed) await close();
    isClosed = true;
  };
  onTestFinished(() => store.close());
  return store;
}

appRepositoryContract('a data file', async () => {
  const folder = newFolder();
  const store = await openStore(folder);
  return {
    first: store.repository,
    again: async () => {
      await store.close();
      return (await openStore(folder)).repository;
    },
  };
});
