import type { FunctionComponent } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { snippetsOf } from '../../../src/cli/dev/snippets.ts';
import { STEPS, type Step, StepMemory, stepsDone } from '../data/first-steps.ts';
import { useLive } from '../data/live-context.ts';
import type { SessionView } from '../data/wire.ts';
import { addressOf } from '../frame/route.ts';
import { Snippets } from '../parts/snippets.tsx';

const TITLES: Readonly<Record<Step, readonly [todo: string, done: string]>> = {
  connected: ['Connect a client', 'A client has connected'],
  published: ['Publish an event', 'An event was published'],
  private: ['Subscribe to a private channel', 'A private channel was subscribed to'],
};

/** What to do first with a new app. Each step ticks itself off, and the panel goes when the user has seen enough. */
export const FirstSteps: FunctionComponent<{ session: SessionView }> = ({ session }) => {
  const live = useLive();
  const { app } = session;
  const memory = useMemo(() => new StepMemory(app.id), [app.id]);
  const [isOver, setOver] = useState(memory.isOver || memory.steps.length === STEPS.length);
  const now = stepsDone(live);
  const done = STEPS.filter((step) => now.includes(step) || memory.steps.includes(step));
  useEffect(() => memory.keep(done), [memory, done.length]);
  if (isOver || live.series.figures.length === 0) return null;
  const hide = () => {
    memory.end();
    setOver(true);
  };
  const isRefused = live.refusals.some(({ newest }) => newest.kind === 'subscriptionRefused');
  const secure = location.protocol === 'https:';
  const port = Number(location.port) || (secure ? 443 : 80);
  const place = { appId: app.id, key: app.keys[0] ?? '', host: location.hostname, port, secure };
  return (
    <section class="panel steps" aria-label="First steps">
      <div>
        <div class="tools">
          <h3>{done.length === STEPS.length ? 'Everything works' : 'Connect your application'}</h3>
          <button type="button" class="plain end" onClick={hide}>
            Hide
          </button>
        </div>
        <p class="note">This page ticks the steps off by itself.</p>
        <ol>
          {STEPS.map((step) => {
            const isDone = done.includes(step);
            const [todo, was] = TITLES[step];
            return (
              <li key={step} class={isDone ? 'done' : ''}>
                <span class="tick" aria-hidden="true">
                  {isDone ? '✓' : ''}
                </span>
                {isDone ? was : todo}
                {!isDone && step === 'private' && isRefused && (
                  <a class="end error" href={`${addressOf('events')}?q=is%3Arefused`}>
                    refused: why?
                  </a>
                )}
                {!isDone && step === 'published' && (
                  <a class="end" href={addressOf('publish', 'news')}>
                    Publish one here
                  </a>
                )}
              </li>
            );
          })}
        </ol>
        <p class="note">
          Then let your backend know what happens: <a href={addressOf('webhooks')}>webhooks</a>.
        </p>
      </div>
      <Snippets snippets={snippetsOf(place)} />
    </section>
  );
};
