/* Code to copy, one piece at a time. */
import { element } from './client.js';

/** Milliseconds for which the button says that it has copied. */
const COPIED_MS = 1500;

export async function addSnippets() {
  const snippets = await (await fetch('/dev/snippets')).json();
  const tabs = snippets.map(({ title, code }) => {
    const tab = document.createElement('button');
    tab.type = 'button';
    tab.className = 'plain';
    tab.textContent = title;
    tab.addEventListener('click', () => {
      for (const other of tabs) other.ariaPressed = String(other === tab);
      element('code').textContent = code;
    });
    return tab;
  });
  element('tabs').append(...tabs);
  tabs[0].click();
  element('copy').addEventListener('click', async ({ target }) => {
    await navigator.clipboard.writeText(element('code').textContent);
    target.textContent = 'Copied';
    setTimeout(() => {
      target.textContent = 'Copy';
    }, COPIED_MS);
  });
}
