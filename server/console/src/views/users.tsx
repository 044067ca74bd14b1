import type { FunctionComponent, TargetedSubmitEvent } from 'preact';
import { api } from '../data/api.ts';
import { useAnswer } from '../data/use-answer.ts';
import { addressOf } from '../frame/route.ts';
import { Empty } from '../parts/empty.tsx';
import { Failure } from '../parts/failure.tsx';
import { Untrusted } from '../parts/untrusted.tsx';

const REFRESH_MS = 5000;

/** Who is signed in, and the way to a user by their id. */
export const UsersView: FunctionComponent = () => {
  const { value: users, failure } = useAnswer(api.users, REFRESH_MS);
  const open = (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const id = String(new FormData(event.currentTarget).get('id')).trim();
    if (id !== '') location.assign(addressOf('users', id));
  };
  return (
    <section class={failure ? 'panel stale' : 'panel'}>
      <div class="tools">
        <h2>Users</h2>
        <form class="actions" onSubmit={open}>
          <label class="inline">
            <span class="unseen">User id</span>
            <input type="search" name="id" placeholder="user id" spellcheck={false} autocomplete="off" />
          </label>
          <button type="submit" class="plain">
            Open
          </button>
        </form>
      </div>
      <Failure failure={failure} />
      {users?.length === 0 && (
        <Empty title="Nobody is signed in">
          A user is here while a client of theirs is signed in (pusher:signin). The members of a presence
          channel are on the page of the channel.
        </Empty>
      )}
      {users && users.length > 0 && (
        <ul class="names">
          {users.map(({ id }) => (
            <li key={id}>
              <a href={addressOf('users', id)}>
                <Untrusted text={id} />
              </a>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
};
