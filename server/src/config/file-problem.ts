/** Explains why a file cannot be used. */
const PROBLEMS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file'],
  ['EACCES', 'the broker has no permission to use it'],
  ['EPERM', 'the broker has no permission to use it'],
  ['EROFS', 'its file system is read-only'],
  ['EISDIR', 'it is a directory'],
  ['ENOTDIR', 'a part of its path is not a directory'],
  ['EEXIST', 'it is not a directory'],
  ['ELOOP', 'its symbolic links form a circle'],
  ['ENAMETOOLONG', 'its name is too long'],
  ['ENOSPC', 'its disk is full'],
  ['EMFILE', 'the process has too many open files'],
]);

/** Returns why a file cannot be used, with the system's code. */
export function fileProblem(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return `${PROBLEMS.get(code) ?? 'it cannot be used'} (${code})`;
}
