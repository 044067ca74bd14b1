/** Text within commands and code that people copy. */

/** One word of a shell. */
export function shellWord(text: string): string {
  return /^[\w.:/@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A string in single quotes, as JavaScript, PHP, Python and Ruby read it alike. */
export function stringLiteral(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
