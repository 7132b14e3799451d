import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Its types are among those of browsers. */
const { WebAssembly } = globalThis as unknown as { WebAssembly: { compile(code: Uint8Array): Promise<object> } };

let compiled: Promise<object | undefined> | undefined;

/**
 * PGlite's Postgres for those that open many databases in one process: each thread would compile it anew. Undefined when
 * there is none; the thread says why.
 *
 * @internal
 */
export function compiledPostgres(): Promise<object | undefined> {
  compiled ??= compile().catch(() => undefined);
  return compiled;
}

async function compile(): Promise<object> {
  const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  return WebAssembly.compile(await readFile(join(dirname(entry), 'pglite.wasm')));
}
