/** The reference of the SDKs: a page of Markdown for each entry of a package, made of the declarations that are published. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { declarationsOf } from './declarations.js';
import { slugify } from './markdown.js';

const PACKAGES = ['sdk-server', 'sdk-client'];
const KINDS = ['class', 'function', 'constant', 'type'];

/** All entries, each with its `module`, the `path` of its page and its `declarations`. */
export function entriesOf(root) {
  return PACKAGES.flatMap((folder) => {
    const { name, exports } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    return Object.entries(exports).flatMap(([entry, { import: published }]) => {
      if (published === undefined) return [];
      const declarations = declarationsOf(join(root, folder, published.types));
      declarations.sort(
        (a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || (a.name < b.name ? -1 : 1),
      );
      const path = `docs/reference/${folder}${entry.slice(1).replace('/', '-')}.md`;
      return [{ module: name + entry.slice(1), path, declarations }];
    });
  });
}

/** What is public and not documented: an export without a text, a function or a class without an example. */
export function gapsOf({ module, declarations }) {
  return declarations.flatMap(({ name, kind, doc }) => {
    if (doc.text === '') return [`${module}: ${name} has no docstring`];
    const isCalled = kind === 'class' || kind === 'function';
    return isCalled && doc.examples.length === 0 ? [`${module}: ${name} has no @example`] : [];
  });
}

/** The page of an entry. */
export function pageOf({ module, declarations }) {
  const anchors = new Map();
  for (const { name, members } of declarations) {
    anchors.set(name, slugify(name));
    for (const member of members.filter(({ isCalled }) => isCalled)) {
      anchors.set(`${name}.${member.name}`, slugify(headingOf(name, member)));
    }
  }
  const sections = declarations.map((declaration) => sectionOf(declaration, anchors));
  return [`# ${module}`, `Everything that \`${module}\` exports.`, ...sections].join('\n\n');
}

function sectionOf({ name, signature, doc, members }, anchors) {
  const link = (text) => linked(text, anchors, name);
  const fields = members.filter(({ isCalled }) => !isCalled);
  const rows = fields.map(
    (field) => `| ${cell(code(field.signature))} | ${cell(link(inOneLine(field.doc)))} |`,
  );
  const methods = members
    .filter(({ isCalled }) => isCalled)
    .flatMap((member) => [`### ${headingOf(name, member)}`, described(member, link)]);
  const table = rows.length > 0 ? ['| | |\n| --- | --- |', ...rows].join('\n') : '';
  return [`## ${name}`, described({ signature, doc }, link), table, ...methods].filter(Boolean).join('\n\n');
}

function headingOf(name, member) {
  return member.name === 'constructor' ? `new ${name}` : `${name}.${member.name}`;
}

function described({ signature, doc }, link) {
  const items = [
    ...doc.params.map(({ name, text }) => `- \`${name}\`: ${text}`),
    ...doc.returns.map((text) => `- Returns: ${text}`),
    ...doc.throws.map((text) => `- Throws: ${text}`),
    ...doc.defaults.map((text) => `- Default: ${text}`),
  ];
  const parts = [`\`\`\`ts\n${signature}\n\`\`\``, link(doc.text), link(items.join('\n')), ...doc.examples];
  return parts.filter(Boolean).join('\n\n');
}

function inOneLine({ text, defaults, throws }) {
  const parts = [
    text,
    ...defaults.map((value) => `Default: ${value}.`),
    ...throws.map((error) => `Throws ${error}.`),
  ];
  return parts.join(' ').replace(/\s+/g, ' ');
}

/** Names that the page has become links. */
function linked(text, anchors, within) {
  return text.replace(/\{@link ([\w.]+)\}/g, (_, name) => {
    const anchor = anchors.get(name) ?? anchors.get(`${within}.${name}`);
    return anchor === undefined ? `\`${name}\`` : `[${name}](#${anchor})`;
  });
}

function code(text) {
  return `\`${text.replace(/\s+/g, ' ')}\``;
}

function cell(text) {
  return text.replaceAll('|', '\\|');
}
