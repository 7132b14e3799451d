import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';

const folder = new URL('./browser/', import.meta.url);

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
};

export interface PageFile {
  readonly type: string;
  readonly text: string;
}

// A name from outside is only ever looked up here, never joined to a path.
const names = new Set(readdirSync(folder).filter((name) => extname(name) in TYPES));

export async function pageFile(name: string): Promise<PageFile | undefined> {
  const type = TYPES[extname(name)];
  return type !== undefined && names.has(name)
    ? { type, text: await readFile(new URL(name, folder), 'utf8') }
    : undefined;
}
