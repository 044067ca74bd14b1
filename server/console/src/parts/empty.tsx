import type { ComponentChildren, FunctionComponent } from 'preact';

/** What stands where there is nothing yet: what that means, and what to do. */
export const Empty: FunctionComponent<{ title: string; children?: ComponentChildren }> = ({
  title,
  children,
}) => (
  <div class="empty">
    <strong>{title}</strong>
    {children && <p>{children}</p>}
  </div>
);
