/** The frame of every page, and the home page. */
import { dirname, posix } from 'node:path';

/** A page of the documentation. */
export function layout({ path, title, html, sections }, sidebar) {
  const toRoot = posix.relative(dirname(path), '.') || '.';
  return document({ toRoot, title: `${title} – Countersign`, path, sidebar, outline: sections }, html);
}

/** The first page: what this is, and what sets it apart. */
export function home(sidebar) {
  const body = `<div class="hero">
<h1>Channels that say why</h1>
<p>A pub/sub channel service that you run yourself. It speaks the Pusher Channels protocol, so the clients you have work unchanged.
Nobody listens to a private channel unless your own backend signed for it; and when a signature is refused, it tells you what was signed instead.</p>
<p class="actions"><a class="button" href="README.html">Start</a> <a href="docs/README.html">All pages</a></p>
<a href="docs/console.html"><img src="docs/images/console-events-dark.png" alt="The console explains a refused signature: which secret signed, and what" /></a>
<ul class="cards">
<li><a href="docs/troubleshooting.html">It does not work</a><span>It does not connect, is not authorized, or does not arrive: three questions lead to the cause.</span></li>
<li><a href="docs/migrate/README.html">Come from another server</a><span>Pusher, soketi, Reverb, Sockudo, Socket.IO; and the way back.</span></li>
<li><a href="docs/deploy.html">Run it</a><span>Debian, systemd, Docker, Kubernetes, behind a proxy.</span></li>
</ul></div>`;
  return document({ toRoot: '.', title: 'Countersign', path: 'index.md', sidebar, outline: [] }, body);
}

function document({ toRoot, title, path, sidebar, outline }, body) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<script src="${toRoot}/assets/theme.js"></script>
<link rel="stylesheet" href="${toRoot}/assets/site.css">
<script type="module" src="${toRoot}/assets/site.js"></script>
</head>
<body data-root="${toRoot}">
<a class="skip" href="#content">Skip to the text</a>
<header>
<a class="brand" href="${toRoot}/index.html">Countersign</a>
<div class="search" role="search"><input id="search" type="search" placeholder="Search  /" aria-label="Search" autocomplete="off"><ol id="results" hidden></ol></div>
<button id="theme" type="button">Theme</button>
</header>
<div class="frame">
<details class="side"><summary>Pages</summary><nav aria-label="Pages">${sidebar.map((group) => groupOf(group, path, toRoot)).join('')}</nav></details>
<main id="content">${body}</main>
${outlineOf(outline)}
</div>
</body>
</html>
`;
}

function groupOf({ title, entries }, path, toRoot) {
  const items = entries.map((entry) => {
    const current = entry.path === path ? ' aria-current="page"' : '';
    const href = `${toRoot}/${entry.path.replace(/\.md$/, '.html')}`;
    return `<li><a href="${href}"${current}>${escapeHtml(entry.title)}</a></li>`;
  });
  return `<h2>${escapeHtml(title)}</h2><ul>${items.join('')}</ul>`;
}

function outlineOf([, ...sections]) {
  if (sections.length < 2) return '';
  const items = sections.map(({ id, heading }) => `<li><a href="#${id}">${escapeHtml(heading)}</a></li>`);
  return `<nav class="outline" aria-label="On this page"><h2>On this page</h2><ul>${items.join('')}</ul></nav>`;
}

function escapeHtml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
