/** Whether each surrogate of a text is one of a pair; one alone is no character, and cannot be sent as UTF-8. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
