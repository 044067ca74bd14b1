/** Secrets that stand in documentation, ours and that of others, and words that come first in every list of passwords. */
const KNOWN: ReadonlySet<string> = new Set([
  'dev-secret',
  'a-long-random-secret',
  'at least 8 characters',
  'at least 8 characters, better 32',
  'the-next-key-while-it-is-rolled-out',
  'app-secret',
  'my-secret',
  'mysecret',
  'secret-key',
  'secretkey',
  'supersecret',
  'super-secret',
  'topsecret',
  'top-secret',
  'password',
  'password1',
  'password123',
  'passw0rd',
  'p@ssw0rd',
  'passwort',
  'motdepasse',
  'administrator',
  'baseball',
  'computer',
  'corvette',
  'football',
  'iloveyou',
  'jennifer',
  'letmein1',
  'michelle',
  'mercedes',
  'princess',
  'qwertyui',
  'qwertyuiop',
  'qwerty123',
  'starwars',
  'sunshine',
  'superman',
  'trustno1',
  'whatever',
  'countersign',
]);
/** How documentation says that a value is to be replaced. */
const PLACEHOLDER = /replace|change[ _-]?(me|this|it)|placeholder|your[ _-]|<.*>|…/i;
const MIN_DISTINCT_CHARACTERS = 5;

/** Whether somebody who has seen one signature finds the secret at once, because it is in a documentation or a list. */
export function isGuessable(secret: string): boolean {
  const text = secret.toLowerCase().trim();
  return (
    KNOWN.has(text) ||
    PLACEHOLDER.test(text) ||
    new Set(text).size < MIN_DISTINCT_CHARACTERS ||
    isSequence(text)
  );
}

/** Whether each character follows the one before it, as in `12345678`; after 9 comes 0. */
function isSequence(text: string): boolean {
  const steps = new Set<number>();
  for (let at = 1; at < text.length; at += 1) {
    const step = text.charCodeAt(at) - text.charCodeAt(at - 1);
    steps.add(step === -9 ? 1 : step);
  }
  return steps.size === 1;
}
