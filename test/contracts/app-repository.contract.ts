/** What every app store does, whether it is in a data file or in Redis. */
import { describe, expect, test } from 'vitest';
import type { AppRepository, RepositoryChange } from '#server/apps/app-repository';

/** @param open a new, empty repository, and one that is opened on the same place later */
export function appRepositoryContract(
  name: string,
  open: () => Promise<{ readonly first: AppRepository; again(): Promise<AppRepository> }>,
): void {
  const change = (base: number, more: Partial<RepositoryChange> = {}): RepositoryChange => ({
    base,
    documents: [],
    entries: [],
    now: 1000,
    ...more,
  });
  const documentsOf = async (repository: AppRepository) => (await repository.changes(0)).documents;

  describe(`the app repository of ${name}`, () => {
    test('keeps documents, also for whoever opens it later', async () => {
      const { first, again } = await open();
      const { version } = await first.changes(0);
      const documents = [
        { id: 'app:a', sealed: 'sealed a' },
        { id: 'app:b', sealed: 'sealed b' },
      ];
      const next = await first.write(change(version, { documents }));
      expect(next).toBeGreaterThan(version);
      expect(await documentsOf(first)).toEqual(documents);
      expect(await documentsOf(await again())).toEqual(documents);
    });

    test('removes a document', async () => {
      const { first, again } = await open();
      const { version } = await first.changes(0);
      const next = await first.write(change(version, { documents: [{ id: 'app:a', sealed: 'sealed' }] }));
      await first.write(change(next!, { documents: [{ id: 'app:a', sealed: null }] }));
      const kept = (await documentsOf(await again())).filter(({ sealed }) => sealed !== null);
      expect(kept).toEqual([]);
    });

    test('writes nothing of a change that was made for an earlier version', async () => {
      const { first } = await open();
      const { version } = await first.changes(0);
      await first.write(change(version, { documents: [{ id: 'app:a', sealed: 'first' }] }));
      const late = change(version, {
        documents: [{ id: 'app:a', sealed: 'late' }],
        entries: ['"late"'],
        answer: { key: 'late', sealed: 'late', until: 5000 },
      });
      expect(await first.write(late)).toBeUndefined();
      expect(await documentsOf(first)).toEqual([{ id: 'app:a', sealed: 'first' }]);
      expect(await first.entries(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
      expect(await first.answer('late', 1000)).toBeUndefined();
    });

    test('tells what has changed since a version, or everything', async () => {
      const { first } = await open();
      const { version } = await first.changes(0);
      const one = await first.write(change(version, { documents: [{ id: 'app:a', sealed: 'a' }] }));
      const two = await first.write(change(one!, { documents: [{ id: 'app:b', sealed: 'b' }] }));
      const changes = await first.changes(one!);
      expect(changes.version).toBe(two);
      const ids = changes.documents.map(({ id }) => id);
      expect(ids).toEqual(changes.isComplete ? ['app:a', 'app:b'] : ['app:b']);
    });

    test('keeps entries, newest first and a page at a time', async () => {
      const { first } = await open();
      const { version } = await first.changes(0);
      const next = await first.write(change(version, { entries: ['"a"', '"b"'] }));
      await first.write(change(next!, { entries: ['"c"'] }));
      const [newest, middle] = await first.entries(Number.MAX_SAFE_INTEGER, 2);
      expect([newest?.entry, middle?.entry]).toEqual(['"c"', '"b"']);
      expect((await first.entries(middle!.n, 10)).map(({ entry }) => entry)).toEqual(['"a"']);
    });

    test('keeps an answer until it ends', async () => {
      const { first } = await open();
      const { version } = await first.changes(0);
      await first.write(change(version, { answer: { key: 'k', sealed: 'sealed', until: 2000 } }));
      expect(await first.answer('k', 1999)).toBe('sealed');
      expect(await first.answer('k', 2000)).toBeUndefined();
      expect(await first.answer('other', 1999)).toBeUndefined();
    });
  });
}
