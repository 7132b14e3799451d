import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isFull } from '../support/test-form.js';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LIBRARY = join(ROOT, 'libs/jobs');
const DIST = join(LIBRARY, 'dist');
const TSC = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));

export interface PackedLibrary {
  /** What would be published. */
  readonly tarball: string;
  /** A temporary one, with nothing but the tarball. */
  readonly directory: string;
  /** All that an app can import: `nestjs-jobs`, `nestjs-jobs/http` ... */
  readonly specifiers: string[];
  readonly optionalPeers: string[];
}

/** Packs the library as for publishing. In the short form it is built only if it has changed since `npm run pack:lib`. */
export async function packLibrary(): Promise<PackedLibrary> {
  if (isFull || !(await isBuilt())) await build();
  const directory = await mkdtemp(join(tmpdir(), 'nestjs-jobs-pack-'));
  const { stdout } = await run('npm', ['pack', '--loglevel=error', '--pack-destination', directory], { cwd: LIBRARY });
  const manifest = JSON.parse(await readFile(join(LIBRARY, 'package.json'), 'utf8')) as {
    name: string;
    exports: Record<string, unknown>;
    peerDependenciesMeta: Record<string, { optional: boolean }>;
  };
  return {
    tarball: join(directory, stdout.trim().split('\n').at(-1)!),
    directory,
    specifiers: Object.entries(manifest.exports)
      .filter(([, target]) => typeof target === 'object')
      .map(([subpath]) => manifest.name + subpath.slice(1)),
    optionalPeers: Object.keys(manifest.peerDependenciesMeta),
  };
}

/** What `nest build jobs` does; Nest's CLI does not start on the oldest Nodes that the library supports. */
async function build(): Promise<void> {
  await rm(DIST, { recursive: true, force: true });
  // `npm run lint` checks the types; what is written is the same.
  await run(process.execPath, [TSC, '-p', 'libs/jobs/tsconfig.lib.json', '--noCheck'], { cwd: ROOT });
}

/** Whether all of it was built after the last change of a source; one that was removed has changed its directory. */
async function isBuilt(): Promise<boolean> {
  const outputs = await filesIn(DIST).catch(() => []);
  const settings = [join(LIBRARY, 'tsconfig.lib.json'), join(ROOT, 'tsconfig.json')];
  const source = join(LIBRARY, 'src');
  const inputs = [
    source,
    ...(await readdir(source, { recursive: true })).map((name) => join(source, name)),
    ...settings,
  ];
  const [built, changed] = await Promise.all([changesOf(outputs), changesOf(inputs)]);
  return built.length > 0 && Math.min(...built) > Math.max(...changed);
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function changesOf(paths: readonly string[]): Promise<number[]> {
  return Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs));
}
