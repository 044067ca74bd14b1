/** Builds the documentation as a static site: `npm run docs` writes docs/site/dist, which any server of files can serve. */
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import MiniSearch from 'minisearch';
import { SEARCH } from './assets/search-options.js';
import { home, layout } from './layout.js';
import { readPage } from './markdown.js';
import { entriesOf, gapsOf, pageOf } from './reference.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));
const OUT = process.argv[2] ?? join(HERE, 'dist');
const START = 'docs/README.md';

const entries = entriesOf(ROOT);
const reference = new Map(entries.map((entry) => [entry.path, pageOf(entry)]));
const { pages, files } = collect([START, ...reference.keys()]);
const problems = [...[...pages.values()].flatMap(brokenLinks), ...entries.flatMap(gapsOf)];
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}

const ofReference = entries.map(({ path, module }) => ({ path, title: module }));
const sidebar = [...sidebarOf(pages.get(START)), { title: 'Reference', entries: ofReference }];
rmSync(OUT, { recursive: true, force: true });
for (const page of pages.values()) write(htmlOf(page.path), layout(page, sidebar));
write('index.html', home(sidebar));
for (const file of files) cpSync(join(ROOT, file), join(OUT, file), { recursive: true });
cpSync(join(HERE, 'assets'), join(OUT, 'assets'), { recursive: true });
const minisearch = fileURLToPath(import.meta.resolve('minisearch'));
cpSync(minisearch, join(OUT, 'assets/minisearch.js'));
write('assets/search.json', JSON.stringify(searchIndex()));
console.log(`${pages.size + 1} pages in ${OUT}`);

/** All pages that can be reached from some, and the other files that they link to. */
function collect(starts) {
  const pages = new Map();
  const files = new Set();
  const waiting = [...starts];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (pages.has(path)) continue;
    const page = readPage(path, reference.get(path) ?? readFileSync(join(ROOT, path), 'utf8'));
    pages.set(path, page);
    for (const { target } of page.links) {
      if (target.endsWith('.md')) waiting.push(target);
      else files.add(target);
    }
  }
  return { pages, files };
}

function brokenLinks({ path, links }) {
  return links.flatMap(({ target, heading }) => {
    if (!pages.has(target) && !statSync(join(ROOT, target), { throwIfNoEntry: false }))
      return [`${path}: there is no ${target}`];
    const isKnown = heading === undefined || pages.get(target)?.sections.some(({ id }) => id === heading);
    return isKnown ? [] : [`${path}: ${target} has no heading #${heading}`];
  });
}

/** The groups of the index page: each of its rows leads to a page. */
function sidebarOf({ text }) {
  const groups = [];
  for (const row of text.split('\n').filter((line) => line.startsWith('| '))) {
    const title = /^\| \*\*(.+)\*\* \|/.exec(row)?.[1];
    if (title !== undefined) groups.push({ title, entries: [] });
    for (const [, link = ''] of row.matchAll(/\]\(([^)#]+\.md)/g)) {
      const path = posix.join(dirname(START), link);
      groups.at(-1)?.entries.push({ path, title: pages.get(path).title });
    }
  }
  return groups;
}

function searchIndex() {
  const index = new MiniSearch(SEARCH);
  for (const { path, title, sections } of pages.values()) {
    for (const { id, heading, text } of sections) {
      index.add({ id: `${htmlOf(path)}#${id}`, page: title, heading, text });
    }
  }
  return index;
}

function htmlOf(path) {
  return path.replace(/\.md$/, '.html');
}

function write(path, text) {
  const file = join(OUT, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
