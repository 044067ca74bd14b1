/** Reads a file of declarations (`.d.ts`): what it exports, with signatures and docstrings. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseSync } from 'vite';

const KINDS = {
  ClassDeclaration: 'class',
  TSDeclareFunction: 'function',
  VariableDeclaration: 'constant',
  TSInterfaceDeclaration: 'type',
  TSTypeAliasDeclaration: 'type',
};

/** Characters of a line of code that fit on a page. */
const MAX_WIDTH = 88;

/** What a file exports by itself or from others. Overloads of a function are one declaration. */
export function declarationsOf(file) {
  const source = sourceOf(file);
  return exportedNames(source).map(({ name, from, original }) => {
    const found =
      from === undefined ? declared(source, original) : declarationIn(join(dirname(file), from), original);
    return { ...found, name };
  });
}

function declarationIn(file, name) {
  const found = declarationsOf(file.replace(/\.[jt]s$/, '.d.ts')).find(
    (declaration) => declaration.name === name,
  );
  if (found === undefined) throw new Error(`${file} does not export ${name}`);
  return found;
}

function sourceOf(file) {
  const text = readFileSync(file, 'utf8');
  const { program, module, comments, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
  return { text, program, module, comments };
}

function exportedNames({ module }) {
  const entries = module.staticExports.flatMap((statement) => statement.entries);
  const names = entries.map(({ exportName, importName, localName, moduleRequest }) => ({
    name: exportName.name,
    from: moduleRequest?.value,
    original: moduleRequest === null ? localName.name : importName.name,
  }));
  // Overloads are exported once each.
  return [...new Map(names.map((entry) => [entry.name, entry])).values()];
}

function declared(source, name) {
  const statements = source.program.body.filter(
    ({ declaration }) => (declaration?.id ?? declaration?.declarations?.[0]?.id)?.name === name,
  );
  const [{ declaration }] = statements;
  const members = membersOf(source, declaration);
  const written = members.length > 0 ? headOf : signatureOf;
  return {
    kind: KINDS[declaration.type],
    signature: statements.map((statement) => written(source, statement.declaration)).join('\n'),
    doc: docOf(source, statements),
    members,
  };
}

/** The fields and methods of a class or an interface, overloads together. */
function membersOf(source, { type, body }) {
  if (type !== 'ClassDeclaration' && type !== 'TSInterfaceDeclaration') return [];
  const byName = new Map();
  for (const node of body.body) {
    const name = memberName(source, node);
    if (name !== undefined) byName.set(name, [...(byName.get(name) ?? []), node]);
  }
  return [...byName].map(([name, nodes]) => ({
    name,
    isCalled:
      nodes[0].type === 'TSMethodSignature' ||
      ((nodes[0].value?.type ?? '').includes('Function') && nodes[0].kind !== 'get'),
    signature: nodes.map((node) => signatureOf(source, node)).join('\n'),
    doc: docOf(source, nodes),
  }));
}

/** Nothing for what is private. */
function memberName({ text }, { key, parameters, accessibility }) {
  if (key?.type === 'PrivateIdentifier' || accessibility === 'private') return undefined;
  const written = key ?? parameters?.[0];
  return written && text.slice(written.start, written.end).replace(/^'(.*)'$/, '$1');
}

/** A long list of parameters has a line for each. */
function signatureOf(source, node) {
  const { start, end } = node;
  const { params = [] } = node.value ?? node;
  if (end - start <= MAX_WIDTH || params.length === 0) return cut(source, node);
  const head = cut(source, { start, end: params[0].start });
  const tail = cut(source, { start: params.at(-1).end, end });
  return `${head}\n${params.map((param) => `  ${cut(source, param)}`).join(',\n')}\n${tail}`;
}

/** The text of a declaration without comments inside, and without the words of a file of declarations. */
function cut({ text, comments }, { start, end }) {
  const inside = comments.filter((comment) => comment.start >= start && comment.end <= end);
  let rest = '';
  let at = start;
  for (const comment of inside) {
    rest += text.slice(at, comment.start).trimEnd();
    at = comment.end;
  }
  return (rest + text.slice(at, end))
    .replace(/^declare /, '')
    .replace(/;$/, '')
    .replace(/^ {4}\}/m, '}');
}

function headOf({ text }, { start, body }) {
  return text
    .slice(start, body.start)
    .replace(/^declare /, '')
    .trim();
}

/** The docstring that stands right before one of these nodes. */
function docOf({ text, comments }, nodes) {
  const comment = nodes
    .map(({ start }) => comments.findLast(({ end }) => end <= start && text.slice(end, start).trim() === ''))
    .find((found) => found?.value.startsWith('*'));
  return parseDoc(comment?.value ?? '');
}

function parseDoc(comment) {
  const lines = comment
    .replace(/^\*/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''));
  const [text, ...tags] = lines
    .join('\n')
    .trim()
    .split(/^@(?=\w)/m);
  const tagged = (name) =>
    tags
      .filter((tag) => tag.startsWith(`${name} `) || tag.startsWith(`${name}\n`))
      .map((tag) => tag.slice(name.length).trim());
  const params = tagged('param').map((param) => {
    const [name, ...words] = param.split(/\s+/);
    return { name, text: words.join(' ') };
  });
  return {
    text: text.trim(),
    params,
    returns: tagged('returns'),
    throws: tagged('throws'),
    defaults: tagged('default'),
    examples: tagged('example'),
  };
}
