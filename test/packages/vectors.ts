/**
 * Worked examples of everything that is signed or sealed, computed independently of this project. Signer and verifier
 * are both tested against them, so that the two cannot be wrong together.
 */

/** The app of the examples. */
export const app = { id: '3', key: '278d425bdf160c739803', secret: '7ad3773142a6692b25b8' } as const;

/** The clock of the HTTP examples, in seconds. */
export const TIMESTAMP = 1_700_000_000;

export interface ChannelVector {
  readonly id: string;
  readonly socketId: string;
  readonly channel: string;
  /** As it is sent, byte for byte. */
  readonly channelData?: string;
  readonly signature: string;
  /** Written in a way that `JSON.stringify` does not write, as other languages do. */
  readonly foreign?: true;
}

export const channelVectors: readonly ChannelVector[] = [
  {
    id: 'P1',
    socketId: '1234.1234',
    channel: 'private-foobar',
    signature: '58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4',
  },
  {
    id: 'P2',
    socketId: '1234.1234',
    channel: 'presence-foobar',
    channelData: '{"user_id":10,"user_info":{"name":"Mr. Channels"}}',
    signature: '31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80',
  },
  {
    id: 'P3',
    socketId: '1234.1234',
    channel: 'presence-foobar',
    channelData: '{"user_id":10,"user_info":{"name":"Mr. Pusher"}}',
    signature: 'afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c',
  },
  {
    id: 'P4',
    socketId: '98765.43210',
    channel: 'presence-chat',
    channelData: '{"user_id":"zoë-7","user_info":{"name":"Zoë Ω 漢字 🚀","admin":false}}',
    signature: 'd3342acc78f856b57a093484eb69b5aefb446d71c1bf27801ecd52b1643e8f3a',
  },
  {
    id: 'P5',
    socketId: '98765.43210',
    channel: 'presence-chat',
    channelData: String.raw`{"user_id":"zo\u00eb-7","user_info":{"name":"Zo\u00eb \u03a9 \u6f22\u5b57 \ud83d\ude80","admin":false}}`,
    signature: '4b86dc57b386a86a66e07056d0a553ab2330ddc4853e4ff7daebb043d388c8f1',
    foreign: true,
  },
  {
    id: 'P6',
    socketId: '98765.43210',
    channel: 'presence-chat',
    channelData: '{"user_id":"7"}',
    signature: '2b863e153eb6f8c1e33b654e6799d9d1aca3828bbf4c0fd3ed04e560cccd1613',
  },
  {
    id: 'P7',
    socketId: '98765.43210',
    channel: 'presence-chat',
    channelData: '{"user_info":{"b":1,"a":"x/y"},"user_id":"7"}',
    signature: 'e1a86828a9bfbdc44df311bc4c3e002edf7e843f2314132740f44edb8fb98b52',
  },
  {
    id: 'P8',
    socketId: '98765.43210',
    channel: 'presence-chat',
    channelData: String.raw`{"user_id":"7","user_info":{"a":"x\/y","b":1}}`,
    signature: '861009a44c5f8e193d73580fdbd45b78353119772933f7e172f8d0ce3a9ff940',
    foreign: true,
  },
  {
    id: 'P9',
    socketId: '98765.43210',
    channel: 'presence-chat',
    channelData: '{"user_id": "7", "user_info": {"a": "x/y"}}',
    signature: 'fcecda4479e6962fa027264e3f7e1627e09c5f060a2ec294639baf15f7b30c04',
    foreign: true,
  },
  {
    id: 'P10',
    socketId: '98765.43210',
    channel: 'presence-chat',
    signature: '1eb9b3ed1b4af82a260fe5af7235f3d05cf2960a2c812bb302caaada7acf6617',
  },
  {
    id: 'P11',
    socketId: '98765.43210',
    channel: 'private-chat',
    signature: '4b704d1ec6feb2d3aa8f212e341ac3cb6fbd68734b88e5d2cd042af47d689780',
  },
  {
    id: 'P12',
    socketId: '98765.43210',
    channel: 'private-chat',
    channelData: '{"foo":"bar"}',
    signature: '9b285cf2814808b85f859c739343a15f3ec2b52e3ed87f1b77574bfdb599dc38',
  },
  {
    id: 'P13',
    socketId: '98765.43210',
    channel: 'private-a',
    signature: 'c1db645a981ab19df84107aa072455ea2e0117c2fbe97e0f7c61c1ca82d4aeb2',
  },
  {
    id: 'P14',
    socketId: '98765.43210',
    channel: 'presence-cache-news',
    channelData: '{"user_id":"7"}',
    signature: '3266cf11ea49597f142ad9284699aac3397cad8528622a0c0776c51cabef59e7',
  },
  {
    id: 'P15',
    socketId: '1234.1234',
    channel: 'private-encrypted-bla',
    signature: '804dc185c1aa4c162482e12cac7e0e6f4d19ae02095d6232a19fece1bc8f3ba5',
  },
];

/** The bytes of the channel data of P4. */
export const P4_CHANNEL_DATA_HEX =
  '7b22757365725f6964223a227a6fc3ab2d37222c22757365725f696e666f223a7b226e616d65223a225a6fc3ab20cea920e6bca2e5ad9720f09f9a80222c2261646d696e223a66616c73657d7d';

export interface UserVector {
  readonly id: string;
  readonly socketId: string;
  /** As it is sent, byte for byte. */
  readonly userData: string;
  readonly signature: string;
}

export const userVectors: readonly UserVector[] = [
  {
    id: 'U1',
    socketId: '1234.1234',
    userData: '{"id":"12345"}',
    signature: '4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba',
  },
  {
    id: 'U2',
    socketId: '98765.43210',
    userData: '{"id":"zoe-7","user_info":{"name":"Zoë Ω 漢字 🚀"},"watchlist":["amy","bob"]}',
    signature: '3bc67f77809126b1ebf4e4d960a762f3f0b235dfe16fa9e7369a26f713e285c0',
  },
];

export interface Forgery {
  readonly id: string;
  /** What an attacker sends to the endpoint that authorizes channels. */
  readonly socketId: string;
  readonly channel: string;
  /** What an endpoint that checks nothing signs. */
  readonly text: string;
  readonly signature: string;
}

const F4_TARGET = `POST\n/apps/3/events\nauth_key=${app.key}&auth_timestamp=1700000000&auth_version=1.0&body_md5=f8acc26d2af9d37d497128b30fe02091&z=`;

export const forgeries: readonly Forgery[] = [
  {
    id: 'F1',
    socketId: '1.1:private-victim',
    channel: 'private-mine',
    text: '1.1:private-victim:private-mine',
    signature: '2f8b8237a6325ebbfe81542b08346a346920aa04ddb54e1a4fe156aa11fd80c6',
  },
  {
    id: 'F2',
    socketId: '1.1',
    channel: ':user::{"id":"admin"}',
    text: '1.1::user::{"id":"admin"}',
    signature: 'd11e6284f9020db1b9e7968b48af43c01c8983844f9ddb0ab3ce84101e6ad49f',
  },
  {
    id: 'F3',
    socketId: '1.1',
    channel: 'presence-x:{"user_id":"admin"}',
    text: '1.1:presence-x:{"user_id":"admin"}',
    signature: '80422208852e137aa6ff2a568f7fd262e2e39a1bbcc261948538ba54d4938313',
  },
  {
    id: 'F4',
    socketId: F4_TARGET,
    channel: 'private-mine',
    text: `${F4_TARGET}:private-mine`,
    signature: '30dcf3db596f830c4890b609fea5335abb652589269c28999682113e659820e6',
  },
];

export const refusedSocketIds: readonly string[] = [
  '1.1\n',
  '1.1\nx',
  '1.1:x',
  '1',
  '.1',
  '1.',
  '-1.1',
  ' 1.1',
  '1.1.1',
  '٣.٣',
  '',
];

export const refusedChannels: readonly string[] = [
  'private-a\n',
  'private-a:b',
  '#private',
  'private-é',
  'a b',
  'a/b',
  '',
  'a'.repeat(201),
];

export const acceptedChannels: readonly string[] = ['-', 'a'.repeat(200), 'foo-bar_1234@=,.;'];

export interface RequestVector {
  readonly id: string;
  readonly method: 'GET' | 'POST';
  /** As it is signed. */
  readonly path: string;
  /** As it stands in the URL, where that differs. */
  readonly urlPath?: string;
  /** Parameters but `auth_signature` in the order in which they are signed, not encoded. */
  readonly query: string;
  readonly body?: string;
  readonly signature: string;
  /** What no server SDK of ours sends, as other libraries do. */
  readonly foreign?: true;
}

const AUTH = `auth_key=${app.key}&auth_timestamp=${TIMESTAMP}&auth_version=1.0`;
const EVENT = '{"name":"e","channels":["c"],"data":"x"}';

export const requestVectors: readonly RequestVector[] = [
  {
    id: 'H1',
    method: 'POST',
    path: '/apps/3/events',
    query: `auth_key=${app.key}&auth_timestamp=1353088179&auth_version=1.0&body_md5=ec365a775a4cd0599faeb73354201b6f`,
    body: String.raw`{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}`,
    signature: 'da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c',
  },
  {
    id: 'H2',
    method: 'GET',
    path: '/apps/3/channels',
    query: `${AUTH}&filter_by_prefix=presence-&info=user_count,subscription_count`,
    signature: 'bd4f0abccabc55f58daddd1558f9a7cefabbcd3688d2e26a8aa27735bc7305c7',
  },
  {
    id: 'H3',
    method: 'GET',
    path: '/apps/3/channels',
    query: AUTH,
    signature: '4707afdd8f617b6c4cd52e889d9136a131f31f57e26ce815afd04af0b804c7d3',
  },
  {
    id: 'H4',
    method: 'GET',
    path: '/apps/3/channels',
    query: `${AUTH}&filter_by_prefix=café 1`,
    signature: 'f175682ff3ef66dbba8daa9599005c0b7e00751f711ecfd6a82cf185d78c02c7',
  },
  {
    id: 'H5',
    method: 'POST',
    path: '/apps/3/events',
    query: `${AUTH}&body_md5=84aba74e0c6c61b81f219df7601227a2`,
    body: String.raw`{"name":"grüße","data":"{\"text\":\"Zoë 🚀\"}","channels":["private-a","presence-b"],"socket_id":"98765.43210","info":"subscription_count,user_count"}`,
    signature: '48d090697f80870111944625834cb0bbdfb7947b141e2f7e65557ccf42b6437a',
  },
  {
    id: 'H6',
    method: 'POST',
    path: '/apps/3/batch_events',
    query: `${AUTH}&body_md5=82e5eacc7db7d21813cd4ca353f8a0df`,
    body: String.raw`{"batch":[{"channel":"a","name":"e1","data":"{\"n\":1}"},{"channel":"presence-b","name":"e2","data":"x","info":"user_count"}]}`,
    signature: '50a52ae3bad0cae8adaf3735c38f54f7f7e2a40db76aaeb63a197e77f27b361f',
  },
  {
    id: 'H7',
    method: 'POST',
    path: '/apps/3/users/zoe-7/terminate_connections',
    query: `${AUTH}&body_md5=99914b932bd37a50b983c5e7c90ae93b`,
    body: '{}',
    signature: 'efa741ad8083eaf195702bad0a0883c9b6afc7ffda36f4b9a994ba70b3a126c9',
  },
  {
    id: 'H8',
    method: 'GET',
    path: '/apps/3/channels/presence-b/users',
    query: AUTH,
    signature: 'eb93cdd58a0bb537a56574581cdcf2ae525ff1ab2fd984e146dcf71d89cfb3b6',
  },
  {
    id: 'H9',
    method: 'GET',
    path: '/apps/3/channels/presence-b',
    query: `${AUTH}&info=user_count`,
    signature: '735b33d9126248defbf370223047383b2def855d4c5fb53ef5dd497c58583e4d',
  },
  {
    id: 'H10',
    method: 'GET',
    path: '/apps/3/channels',
    query: `${AUTH}&body_md5=d41d8cd98f00b204e9800998ecf8427e&filter_by_prefix=presence-&info=user_count`,
    signature: '3fc9da7cb4e6d626b1c5a1b1f0179acebb2b238818aab773b9aa682659ddfe10',
    foreign: true,
  },
  {
    id: 'H11',
    method: 'POST',
    path: '/apps/3/users/zoë 7/terminate_connections',
    urlPath: '/apps/3/users/zo%C3%AB%207/terminate_connections',
    query: `${AUTH}&body_md5=99914b932bd37a50b983c5e7c90ae93b`,
    body: '{}',
    signature: '37646720dd586bd35c09b196425dcd781de2d2083af18a17a2a55fa23b2630b3',
    foreign: true,
  },
  {
    id: 'H12',
    method: 'POST',
    path: '/apps/3/users/zo%C3%AB%207/terminate_connections',
    query: `${AUTH}&body_md5=99914b932bd37a50b983c5e7c90ae93b`,
    body: '{}',
    signature: 'ed86fea536c1e228ddab85d0653787c629ca9bcbbf9c278bcbc7cb514881acf8',
    foreign: true,
  },
  {
    id: 'H13',
    method: 'POST',
    path: '/apps/3/events',
    query: `${AUTH}&body_md5=f8acc26d2af9d37d497128b30fe02091`,
    body: EVENT,
    signature: '5a083d4bd7506230a14ff00dc3ff29a0c7c42dcead6805d79b226b2e6d326d4f',
    foreign: true,
  },
  {
    id: 'H14',
    method: 'POST',
    path: '/api/apps/3/events',
    query: `${AUTH}&body_md5=f8acc26d2af9d37d497128b30fe02091`,
    body: EVENT,
    signature: '210f35123e36ac4399b9f03dea766f8d275777b5bf3293fbd6f40a5b9cf659d9',
    foreign: true,
  },
  {
    id: 'H15',
    method: 'GET',
    path: '/apps/3/channels',
    query: `${AUTH}&info[]=user_count&info[]=subscription_count`,
    signature: '78d5cf0496e47e709b5896a9472e67aa45d12cb2a2429ef04ea4875c85a32025',
    foreign: true,
  },
];

/** H16: signed with its parameters out of order, which must be refused, and in order. */
export const unsortedRequest = {
  method: 'GET',
  path: '/apps/3/channels',
  unsorted: {
    query: `${AUTH}&info=user_count&filter_by_prefix=presence-`,
    signature: 'de31ba6e1a3b3f8e2f9bdd531af93c0860ea24cba9a1a6ed16821de71915ac25',
  },
  sorted: {
    query: `${AUTH}&filter_by_prefix=presence-&info=user_count`,
    signature: '5142c71a4248ef5f3ec45e8793d8997773f1d19ce69ee6f6b1d75131d8aa0a6a',
  },
} as const;

/** Names and values of a query, which hold no separators in any of the examples but a comma. */
export function parametersOf(query: string): [name: string, value: string][] {
  return query.split('&').map((part) => {
    const equals = part.indexOf('=');
    return [part.slice(0, equals), part.slice(equals + 1)];
  });
}

/** The target of an example as it goes over the wire. */
export function targetOf({ path, urlPath, query, signature }: RequestVector): string {
  const encoded = parametersOf(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `${urlPath ?? path}?${encoded.join('&')}&auth_signature=${signature}`;
}

export const EMPTY_BODY_MD5 = 'd41d8cd98f00b204e9800998ecf8427e';

export interface WebhookVector {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
  readonly body: string;
  readonly signature: string;
}

export const webhookVectors: readonly WebhookVector[] = [
  {
    id: 'W1',
    key: '123456789',
    secret: 'tofu',
    body: '{"time_ms":1403175510755,"events":[{"channel":"test_channel","name":"channel_vacated"}]}',
    signature: 'c17257e92037cd7de407ebc1ed174ceb7b2e518db127f44411b9ffc4f5b28cc5',
  },
  {
    id: 'W2',
    key: app.key,
    secret: app.secret,
    body: String.raw`{"time_ms":1700000000123,"events":[{"name":"channel_occupied","channel":"presence-room"},{"name":"member_added","channel":"presence-room","user_id":"zoë-7"},{"name":"client_event","channel":"presence-room","event":"client-typing","data":"{\"text\":\"Ω 🚀\"}","socket_id":"98765.43210","user_id":"zoë-7"}]}`,
    signature: 'f110729a57b9c2d99b76e4b00d6f49bf2fdb33b82b5ca127069339bb1737c1a0',
  },
  {
    id: 'W3',
    key: app.key,
    secret: app.secret,
    body: '{"time_ms":1700000000123,"events":[{"name":"channel_vacated","channel":"private-chat"}]}',
    signature: 'c421a3d5ddf08a284f5bf6959ea2b39dca11a285fdfd3000581d9dd565d1877e',
  },
  {
    id: 'W4',
    key: app.key,
    secret: app.secret,
    body: '{"time_ms":1700000000123,"events":[{"name":"subscription_count","channel":"private-chat","subscription_count":12},{"name":"cache_miss","channel":"cache-news"}]}',
    signature: 'c394dc088f9d2e6d8a1f3472662e1a1e70550d02d44e8e53afd6193729742916',
  },
];

/** 32 ASCII bytes, in base64. */
export const MASTER_KEY = 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';

export interface SecretVector {
  readonly id: string;
  readonly masterKey: string;
  readonly channel: string;
  /** In base64. */
  readonly secret: string;
}

export const secretVectors: readonly SecretVector[] = [
  {
    id: 'E1',
    masterKey: MASTER_KEY,
    channel: 'private-encrypted-bla',
    secret: 'RpbCvg2hpomTzoPaomRoEyueYQkn+p44PjBeoYoMNm0=',
  },
  {
    id: 'E2',
    masterKey: MASTER_KEY,
    channel: 'private-encrypted-room.7',
    secret: '/nuG/CnjNP6K0mm+R7n17KO/9KQATENcMoIedMy5m7U=',
  },
  {
    id: 'E3',
    masterKey: MASTER_KEY,
    channel: 'private-encrypted-cache-room',
    secret: 'q5xXL0NXc/hsvil5K9C/+tlRQgXRaZvu/sz///8xzrE=',
  },
  {
    id: 'E4',
    masterKey: '//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=',
    channel: 'private-encrypted-bla',
    secret: 'tLuit+akhygIJD676knbV5IlWAHBfnhtCiXXEmuEGFM=',
  },
];

/** The bytes 0 to 23 in base64. A fixed nonce is for examples only. */
export const NONCE = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYX';

export interface BoxVector {
  readonly id: string;
  readonly plaintext: string;
  /** Made with the secret of E1 and {@link NONCE}, in base64. */
  readonly ciphertext: string;
}

export const boxVectors: readonly BoxVector[] = [
  {
    id: 'B1',
    plaintext: '{"message":"hello 漢字 🚀"}',
    ciphertext: 'GyO+yR3eAFA++DKnt8dDbhu1n/BqdF2zVG4SRsJOcaikiiOEsjkKRf5fsCO0Fok=',
  },
  { id: 'B2', plaintext: '"hi"', ciphertext: 'BUE7rnwL2AxwSodSASrpXEL/m7c=' },
  { id: 'B3', plaintext: '', ciphertext: 'sKsume/3XB1ZDXRHSoZxyA==' },
  { id: 'B4', plaintext: '{"a":1}', ciphertext: 'OX+e/Z2t+wkCvTMuJvIVYBu1k7cjNkE=' },
];
