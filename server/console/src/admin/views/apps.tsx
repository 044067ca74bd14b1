import type { FunctionComponent } from 'preact';

export const AppsView: FunctionComponent<{ query: URLSearchParams }> = () => <h2>Apps</h2>;
