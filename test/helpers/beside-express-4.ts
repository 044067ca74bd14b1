import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type express from 'express';
import { onTestFinished } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;

/** A second copy of the server SDK, as an app on Express 4 has it installed. */
export async function installBesideExpress4(): Promise<{
  readonly express: typeof express;
  readonly sdk: typeof import('@countersign/sdk-server/express');
}> {
  const folder = await mkdtemp(join(tmpdir(), 'express-4-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const modules = join(folder, 'node_modules');
  const copy = join(modules, '@countersign/sdk-server');
  await mkdir(copy, { recursive: true });
  for (const part of ['package.json', 'dist'])
    await cp(join(root, 'sdk-server', part), join(copy, part), { recursive: true });
  await symlink(join(root, 'node_modules/express-4'), join(modules, 'express'));
  await symlink(join(root, 'node_modules/tweetnacl'), join(modules, 'tweetnacl'));
  return {
    express: createRequire(join(folder, 'app.js'))('express'),
    sdk: await import(pathToFileURL(join(copy, 'dist/esm/express.js')).href),
  };
}
