/** What the system says of a file that cannot be used, as a sentence. */
const PROBLEMS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file'],
  ['EACCES', 'the broker has no permission for it'],
  ['EPERM', 'the broker has no permission for it'],
  ['EROFS', 'it is on a file system that is read-only'],
  ['EISDIR', 'it is a directory'],
  ['ENOTDIR', 'a part of its path is not a directory'],
  ['EEXIST', 'it is not a directory'],
  ['ELOOP', 'its symbolic links lead in a circle'],
  ['ENAMETOOLONG', 'its name is too long'],
  ['ENOSPC', 'its disk is full'],
  ['EMFILE', 'the process has too many open files'],
]);

/** Why a file cannot be used, with the code of the system. */
export function fileProblem(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return `${PROBLEMS.get(code) ?? 'it cannot be used'} (${code})`;
}
