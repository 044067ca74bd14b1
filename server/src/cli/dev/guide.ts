import { shellWord, stringLiteral } from '../../quote.ts';
import type { DevApp } from './app.ts';

/** What `countersign dev` prints: where it is, its credentials, and lines that work as they stand. */
export function devGuide(url: string, { id, key, secret }: DevApp): string {
  const { hostname, port } = new URL(url);
  return `
Countersign is ready for development.

  page     ${url}/
  console  ${url}/console
  socket   ${url.replace('http', 'ws')}/app/${key}
  app id   ${id}
  key      ${key}
  secret   ${secret}

The secret is another one at each start, unless COUNTERSIGN_DEV_SECRET or --secret gives it.
It answers this machine only: pages and backends under 127.0.0.1 and localhost, on any port.

Subscribe, with our client
  import { Countersign } from '@countersign/sdk-client'
  const client = new Countersign('${key}', { host: '${hostname}', port: ${port}, forceTLS: false })
  client.subscribe('news').on('hello', (data) => console.log(data))

Subscribe, with pusher-js
  import Pusher from 'pusher-js'
  const pusher = new Pusher('${key}', { cluster: '', wsHost: '${hostname}', wsPort: ${port}, forceTLS: false, enabledTransports: ['ws'], disableStats: true })
  pusher.subscribe('news').bind('hello', (data) => console.log(data))

Publish, with our server SDK
  import { Countersign } from '@countersign/sdk-server'
  const countersign = new Countersign({ appId: '${id}', key: '${key}', secret: ${stringLiteral(secret)}, host: '${hostname}', port: ${port}, useTLS: false })
  await countersign.trigger('news', 'hello', { text: 'hi' })

Publish, from the shell (development only, unsigned)
  curl -H 'Content-Type: application/json' -d '{"channel":"news","event":"hello","data":{"text":"hi"}}' ${url}/dev/publish

Publish, from the shell, signed as everywhere else
  body='{"name":"hello","channels":["news"],"data":"{\\"text\\":\\"hi\\"}"}'
  query="auth_key=${key}&auth_timestamp=$(date +%s)&auth_version=1.0&body_md5=$(printf %s "$body" | openssl md5 -r | cut -c 1-32)"
  signature=$(printf 'POST\\n/apps/${id}/events\\n%s' "$query" | openssl dgst -sha256 -hmac ${shellWord(secret)} -r | cut -c 1-64)
  curl -H 'Content-Type: application/json' -d "$body" "${url}/apps/${id}/events?$query&auth_signature=$signature"

`;
}
