/** Names that lead to the page of what they name. */
import type { FunctionComponent } from 'preact';
import { addressOf } from '../frame/route.ts';
import { Untrusted } from './untrusted.tsx';

export const SocketLink: FunctionComponent<{ id: string }> = ({ id }) => (
  <a class="socket" href={addressOf('connections', id)}>
    <code>{id}</code>
  </a>
);

export const UserLink: FunctionComponent<{ id: string }> = ({ id }) => (
  <a href={addressOf('users', id)}>
    <Untrusted text={id} />
  </a>
);

export const ChannelLink: FunctionComponent<{ name: string }> = ({ name }) => (
  <a href={addressOf('channels', name)}>
    <Untrusted text={name} />
  </a>
);
