/** The search and the theme of the documentation. */
import MiniSearch from './minisearch.js';
import { SEARCH } from './search-options.js';

const SHOWN = 12;
const root = document.body.dataset.root;
const field = document.getElementById('search');
const results = document.getElementById('results');
let index;

/** The index is loaded once somebody searches. */
function loadIndex() {
  index ??= fetch(new URL('search.json', import.meta.url))
    .then((answer) => answer.text())
    .then((text) => MiniSearch.loadJSON(text, SEARCH));
  return index;
}

field.addEventListener('focus', loadIndex);
field.addEventListener('input', async () => {
  const query = field.value;
  const found = (await loadIndex()).search(query).slice(0, SHOWN);
  if (query !== field.value) return;
  results.hidden = query === '';
  results.replaceChildren(...(found.length > 0 ? found.map(resultOf) : [nothing()]));
});

function resultOf({ id, page, heading }) {
  const item = document.createElement('li');
  const link = document.createElement('a');
  link.href = `${root}/${id}`;
  const title = document.createElement('strong');
  title.textContent = heading;
  const where = document.createElement('small');
  where.textContent = page;
  link.append(title, where);
  link.addEventListener('click', () => {
    results.hidden = true;
  });
  item.append(link);
  return item;
}

function nothing() {
  const item = document.createElement('li');
  item.textContent = 'Nothing found';
  return item;
}

document.addEventListener('keydown', (press) => {
  if (press.key === '/' && document.activeElement !== field) {
    press.preventDefault();
    field.focus();
  } else if (press.key === 'Escape') {
    results.hidden = true;
  } else if (press.key === 'Enter' && document.activeElement === field) {
    results.querySelector('a')?.click();
  }
});

document.getElementById('theme').addEventListener('click', () => {
  const { dataset } = document.documentElement;
  const isDark = dataset.theme
    ? dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  dataset.theme = isDark ? 'light' : 'dark';
  localStorage.setItem('theme', dataset.theme);
});

// On a desk the list of pages is always open; on a phone it opens on demand.
const wide = matchMedia('(min-width: 60rem)');
const side = document.querySelector('.side');
const openOnDesk = () => {
  side.open = wide.matches;
};
wide.addEventListener('change', openOnDesk);
openOnDesk();
side.querySelector('[aria-current]')?.scrollIntoView({ block: 'center' });
if (!location.hash) scrollTo(0, 0);
