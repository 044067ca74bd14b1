/** Secrets from documentation, ours and that of others, and the most common passwords. */
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
/** Placeholders of documentation. */
const PLACEHOLDER = /replace|change[ _-]?(me|this|it)|placeholder|your[ _-]|<.*>|…/i;
const MIN_DISTINCT_CHARACTERS = 5;

/** Whether an attacker with one signature can guess the secret, because it is in documentation or a list of passwords. */
export function isGuessable(secret: string): boolean {
  const text = secret.toLowerCase().trim();
  return isDocumented(secret) || new Set(text).size < MIN_DISTINCT_CHARACTERS || isSequence(text);
}

/** Whether the secret is in documentation or a list of passwords. */
export function isDocumented(secret: string): boolean {
  const text = secret.toLowerCase().trim();
  return KNOWN.has(text) || PLACEHOLDER.test(text);
}

/** The same for the secret of a webhook, which is base64: a text within it, and few or regular bytes. */
export function isGuessableWebhookSecret(secret: string): boolean {
  const bytes = Buffer.from(secret.slice(secret.indexOf('_') + 1), 'base64');
  const text = bytes.toString('latin1');
  // Random bytes are no text, and what looks like a placeholder in them is chance.
  const isText = /^[\x20-\x7e]*$/.test(text);
  return isText ? isGuessable(text) : new Set(bytes).size < MIN_DISTINCT_CHARACTERS || isSequence(text);
}

/** Whether all characters have the same distance to the next, as in `12345678`; 0 follows 9. */
function isSequence(text: string): boolean {
  const steps = new Set<number>();
  for (let at = 1; at < text.length; at += 1) {
    const step = text.charCodeAt(at) - text.charCodeAt(at - 1);
    steps.add(step === -9 ? 1 : step);
  }
  return steps.size === 1;
}
