import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LIBRARY = join(ROOT, 'libs/jobs');
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

/** Builds and packs the library as for publishing. */
export async function packLibrary(): Promise<PackedLibrary> {
  // What `nest build jobs` does; Nest's CLI does not start on the oldest Nodes that the library supports.
  await rm(join(LIBRARY, 'dist'), { recursive: true, force: true });
  await run(process.execPath, [TSC, '-p', 'libs/jobs/tsconfig.lib.json'], { cwd: ROOT });
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
