import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

const dataFolder = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '../data');

// A name from outside is only ever looked up here, never joined to a path.
const paths = new Map(
  readdirSync(dataFolder)
    .filter((file) => file.endsWith('.csv'))
    .map((file) => [basename(file, '.csv'), join(dataFolder, file)] as const),
);

export const datasetNames: readonly string[] = [...paths.keys()].toSorted();

export function datasetPath(name: string): string | undefined {
  return paths.get(name);
}
