/** The first lines of an application, for the page of `countersign dev` and the console. */

import { shellWord, stringLiteral } from '../../quote.ts';

/** Where the broker is, as an application reaches it. */
export interface Place {
  readonly appId: string;
  readonly key: string;
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** Only where the page may show it. */
  readonly secret?: string;
}

export interface Snippet {
  readonly title: string;
  readonly code: string;
}

/** The lines, filled in. Without the secret they read it from the environment. */
export function snippetsOf({ appId, key, host, port, secure, secret }: Place): readonly Snippet[] {
  const url = `${secure ? 'https' : 'http'}://${host}:${port}`;
  const secretIn = (fromEnvironment: string) =>
    secret === undefined ? fromEnvironment : stringLiteral(secret);
  return [
    {
      title: 'Our client',
      code: `import { Countersign } from '@countersign/sdk-client';

const client = new Countersign('${key}', { host: '${host}', port: ${port}, forceTLS: ${secure} });
client.subscribe('news').on('hello', (data) => console.log(data));`,
    },
    {
      title: 'pusher-js',
      code: `import Pusher from 'pusher-js';

const pusher = new Pusher('${key}', {
  cluster: '', // required by pusher-js, not used
  wsHost: '${host}',
  wsPort: ${port},
  wssPort: ${port},
  forceTLS: ${secure},
  enabledTransports: ['ws', 'wss'], // never falls back to other hosts
});
pusher.subscribe('news').bind('hello', (data) => console.log(data));`,
    },
    {
      title: 'Laravel Echo',
      code: `import Echo from 'laravel-echo';
import Pusher from 'pusher-js';

window.Pusher = Pusher;
const echo = new Echo({
  broadcaster: 'pusher',
  key: '${key}',
  cluster: '',
  wsHost: '${host}',
  wsPort: ${port},
  wssPort: ${port},
  forceTLS: ${secure},
  enabledTransports: ['ws', 'wss'],
});
echo.channel('news').listen('.hello', (data) => console.log(data));`,
    },
    {
      title: 'Publish: Node',
      code: `import { Countersign } from '@countersign/sdk-server';

const countersign = new Countersign({
  appId: '${appId}',
  key: '${key}',
  secret: ${secretIn('process.env.COUNTERSIGN_SECRET')},
  host: '${host}',
  port: ${port},
  useTLS: ${secure},
});
await countersign.trigger('news', 'hello', { text: 'hi' });`,
    },
    {
      title: 'Publish: PHP',
      code: `$pusher = new Pusher\\Pusher('${key}', ${secretIn("getenv('COUNTERSIGN_SECRET')")}, '${appId}', [
    'host' => '${host}',
    'port' => ${port},
    'scheme' => '${secure ? 'https' : 'http'}',
]);
$pusher->trigger('news', 'hello', ['text' => 'hi']);`,
    },
    {
      title: 'Publish: Python',
      code: `${secret === undefined ? 'import os\n' : ''}import pusher

client = pusher.Pusher(app_id='${appId}', key='${key}', secret=${secretIn("os.environ['COUNTERSIGN_SECRET']")},
                       host='${host}', port=${port}, ssl=${secure ? 'True' : 'False'})
client.trigger('news', 'hello', {'text': 'hi'})`,
    },
    {
      title: 'Publish: curl',
      code: `body='{"name":"hello","channels":["news"],"data":"{\\"text\\":\\"hi\\"}"}'
query="auth_key=${key}&auth_timestamp=$(date +%s)&auth_version=1.0&body_md5=$(printf %s "$body" | openssl md5 -r | cut -c 1-32)"
signature=$(printf 'POST\\n/apps/${appId}/events\\n%s' "$query" | openssl dgst -sha256 -hmac ${secret === undefined ? '"$COUNTERSIGN_SECRET"' : shellWord(secret)} -r | cut -c 1-64)
curl -H 'Content-Type: application/json' -d "$body" "${url}/apps/${appId}/events?$query&auth_signature=$signature"`,
    },
    {
      title: 'Private channels',
      code: `// In the backend, behind your own sign-in:
import { authRouter } from '@countersign/sdk-server/express';

app.use('/countersign', authRouter(countersign, {
  user: (request) => request.user,
  canAccess: (user, channel) => channel === \`private-user-\${user.id}\`,
}));
// The auth probe checks its answer: ${url}/console/#/probe`,
    },
  ];
}
