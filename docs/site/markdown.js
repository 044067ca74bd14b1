/** Reads a page: its HTML, its sections for the search, and its links. */
import { dirname, posix } from 'node:path';
import hljs from 'highlight.js';
import MarkdownIt from 'markdown-it';
import anchor from 'markdown-it-anchor';

const markdown = new MarkdownIt({ html: true, linkify: false, highlight });
markdown.use(anchor, { slugify, permalink: anchor.permalink.headerLink() });
const inTable = { open: markdown.renderer.rules.table_open, close: markdown.renderer.rules.table_close };
markdown.renderer.rules.table_open = (...all) =>
  `<div class="scrolls" tabindex="0">${render(inTable.open, all)}`;
markdown.renderer.rules.table_close = (...all) => `${render(inTable.close, all)}</div>`;
// What scrolls sideways on a phone must be reachable by keyboard.
for (const name of ['fence', 'code_block']) {
  const rule = markdown.renderer.rules[name];
  markdown.renderer.rules[name] = (...all) => rule(...all).replace('<pre', '<pre tabindex="0"');
}
// A table of two columns may need no names for them; an empty cell is no header.
markdown.core.ruler.push('empty_headers', ({ tokens }) => {
  for (const [index, token] of tokens.entries()) {
    if (token.type !== 'th_open' || tokens[index + 1]?.content !== '') continue;
    token.tag = 'td';
    tokens[index + 2].tag = 'td';
  }
});

/** The name that a heading has in links, as on GitHub. */
export function slugify(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

/** @param path of the file, from the root of the repository */
export function readPage(path, text) {
  const tokens = markdown.parse(text, {});
  const links = [];
  const sections = [];
  for (const [index, token] of tokens.entries()) {
    if (token.type === 'heading_open') {
      const heading = wordsOf(tokens[index + 1]);
      sections.push({ id: token.attrGet('id'), heading, text: '' });
    } else if (token.type === 'inline' || token.type === 'fence' || token.type === 'code_block') {
      const section = sections.at(-1);
      if (section && tokens[index - 1]?.type !== 'heading_open') section.text += `${wordsOf(token)}\n`;
    }
    for (const child of token.children ?? []) {
      const name = child.type === 'image' ? 'src' : 'href';
      const link = linkOf(path, child.attrGet(name));
      if (!link) continue;
      links.push(link);
      child.attrSet(name, child.attrGet(name).replace(/\.md(?=#|$)/, '.html'));
    }
  }
  const html = markdown.renderer.render(tokens, markdown.options, {});
  return { path, text, html, links, sections, title: sections[0]?.heading ?? path };
}

/** Where a relative link leads; links within the page and to other sites are not followed. */
function linkOf(path, href) {
  if (!href || /^[a-z]+:/.test(href)) return undefined;
  const [file = '', heading] = href.split('#', 2);
  const target = file === '' ? path : posix.join(dirname(path), decodeURIComponent(file));
  return { target: target.replace(/\/$/, ''), heading };
}

function wordsOf({ children, content }) {
  return children ? children.map((child) => child.content).join('') : content;
}

function highlight(code, language) {
  return hljs.getLanguage(language) ? hljs.highlight(code, { language }).value : '';
}

function render(rule, [tokens, index, options, , renderer]) {
  return rule ? rule(tokens, index, options) : renderer.renderToken(tokens, index, options);
}
