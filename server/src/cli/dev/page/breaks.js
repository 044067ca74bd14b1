/* “Break it”: makes an ordinary mistake for real, and shows what is said where people look. */
import { connect, element } from './client.js';

const BREAKS = {
  secret: () => refused('/dev/broken/secret/auth'),
  cors: () => refused(new URL('/countersign/auth', otherOrigin()).href),
  clock: late,
};

export function addBreaks() {
  for (const button of element('breaks').children) {
    button.addEventListener('click', async () => {
      for (const other of element('breaks').children) {
        other.ariaPressed = String(other === button);
        other.disabled = true;
      }
      element('diagnosis').textContent = 'Breaking it …';
      try {
        show(await BREAKS[button.dataset.break]());
      } finally {
        for (const other of element('breaks').children) other.disabled = false;
      }
    });
  }
}

/** This machine under its other name, which is another origin to the browser. */
function otherOrigin() {
  const other = new URL(location.origin);
  other.hostname = location.hostname === 'localhost' ? '127.0.0.1' : 'localhost';
  return other.origin;
}

/** What the client writes to the browser's console when nobody listens. */
function refused(endpoint) {
  return new Promise((resolve) => {
    const client = connect(endpoint);
    const { warn } = console;
    console.warn = (text, ...more) => {
      warn.call(console, text, ...more);
      if (!String(text).includes('private-broken')) return;
      console.warn = warn;
      client.disconnect();
      resolve({ where: 'The console of the browser says', text: String(text) });
    };
    client.subscribe('private-broken');
  });
}

async function late() {
  const { error } = await (await fetch('/dev/broken/clock', { method: 'POST' })).json();
  return { where: 'The terminal of the backend says', text: error };
}

function show({ where, text }) {
  const heading = document.createElement('h3');
  heading.textContent = where;
  const words = document.createElement('p');
  words.className = 'words';
  words.textContent = text;
  const link = document.createElement('a');
  link.href = '/console/#/events';
  link.textContent = 'The console has its events';
  element('diagnosis').replaceChildren(heading, words, link);
}
